"""Replaces the embedding step of a pipeline by one with less work; all later steps, clustering above all, stay."""

from __future__ import annotations

from typing import Any

from pyannote.audio.pipelines import speaker_verification

from parley_worker.engines.pyannote.interpolating_step import InterpolatingStep
from parley_worker.engines.pyannote.resnet_step import ResNetStep


def replace_embedding_step(pipeline: Any) -> None:
    """Replace the embedding step according to the pipeline's embedding model; other models keep pyannote's step."""
    model = pipeline._embedding
    if isinstance(model, speaker_verification.ONNXWeSpeakerPretrainedSpeakerEmbedding):
        pipeline.get_embeddings = InterpolatingStep(pipeline)
        return
    released = isinstance(model, speaker_verification.PyannoteAudioPretrainedSpeakerEmbedding)
    if released and hasattr(model.model_, "resnet"):
        pipeline.get_embeddings = ResNetStep(pipeline)
