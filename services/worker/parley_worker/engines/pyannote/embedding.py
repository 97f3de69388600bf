"""The pipeline's embedding step with less work; everything after it, clustering above all, stays pyannote's own."""

from __future__ import annotations

from typing import Any

from pyannote.audio.pipelines import speaker_verification as voice_models

from parley_worker.engines.pyannote.interpolated import InterpolatedEmbedding
from parley_worker.engines.pyannote.trunk_once import TrunkOnce


def quicken_embedding(pipeline: Any) -> None:
    """Replace a pipeline's embedding step by the one for its voice model; a model of another kind keeps pyannote's."""
    model = pipeline._embedding
    if isinstance(model, voice_models.ONNXWeSpeakerPretrainedSpeakerEmbedding):
        pipeline.get_embeddings = InterpolatedEmbedding(pipeline)
    elif isinstance(model, voice_models.PyannoteAudioPretrainedSpeakerEmbedding) and hasattr(model.model_, "resnet"):
        pipeline.get_embeddings = TrunkOnce(pipeline)
