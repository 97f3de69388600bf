"""A pipeline of community-1's kind: a ResNet for embeddings, VBx for clustering.

The weights of community-1 may not be distributed. Those of the ResNet here are random, from a seed: the values mean
nothing, but two implementations must agree on them, and their cost is that of the real ones. This needs torch and
pyannote.audio.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

WINDOW_SECONDS = 10.0


def community_pipeline(folder: Path, pipeline: Path) -> Path:
    """Write a pipeline into an empty folder, and return the folder.

    Args:
        folder: where to write.
        pipeline: folder of a pipeline that names a segmentation model in its config.yaml.
    """
    config = (pipeline / "config.yaml").read_text()
    config = re.sub(r"embedding: .*", f"embedding: {folder}/embedding.bin", config)
    config = re.sub(r"plda: .*", f"plda: {folder}/plda", config)
    config = config.replace("AgglomerativeClustering", "VBxClustering")
    config = re.sub(r"(?m)^params:[\s\S]*", "", config)
    params = "params:\n  clustering: {threshold: 0.6, Fa: 0.07, Fb: 0.8}\n  segmentation: {min_duration_off: 0.0}\n"
    (folder / "config.yaml").write_text(config + params)
    _write_embedding_model(folder / "embedding.bin")
    _write_plda(folder / "plda")
    return folder


def _write_embedding_model(path: Path) -> None:
    import torch
    from lightning.pytorch import Trainer
    from pyannote.audio.core.task import Problem, Resolution, Specifications
    from pyannote.audio.models.embedding import WeSpeakerResNet34

    torch.manual_seed(0)
    model = WeSpeakerResNet34()
    model.specifications = Specifications(Problem.REPRESENTATION, Resolution.CHUNK, duration=WINDOW_SECONDS)
    trainer = Trainer(logger=False, accelerator="cpu", enable_checkpointing=False)
    trainer.strategy.connect(model)
    trainer.save_checkpoint(path)


def _write_plda(folder: Path) -> None:
    folder.mkdir()
    np.savez(folder / "xvec_transform.npz", mean1=np.zeros(256), mean2=np.zeros(128), lda=np.eye(256, 128))
    np.savez(folder / "plda.npz", mu=np.zeros(128), tr=np.eye(128), psi=np.linspace(2, 1, 128))
