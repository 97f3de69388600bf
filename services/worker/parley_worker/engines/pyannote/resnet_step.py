"""The embedding step for pyannote's own models: the trunk runs once per window for all speakers, with equal results.

These models (WeSpeaker's ResNet, as in community-1) mask the output of their trunk. Nevertheless pyannote.audio sends a
window through the trunk once per speaker, usually three times, even if nobody speaks in it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parley_worker.engines.pyannote.step import EmbeddingStep, WindowMasks

# Windows per run of the trunk; a ResNet needs 30 MB for each. On a graphics card (H100), half an hour takes 1.8 s in
# batches of 8, 1.4 s in batches of 32, and no less in larger ones.
BATCHES = {"cpu": 8, "cuda": 32}


class ResNetStep(EmbeddingStep):
    """Embeds batches of windows. On a graphics card the trunk, nearly all of the work, runs in bfloat16."""

    def embed(
        self, masks: WindowMasks, audio: Callable[[int], Tensor], progress: Callable[[int], None], step: float
    ) -> NDArray[np.float32]:
        found = np.empty((len(masks), masks.shape[2], self.model.dimension), np.float32)
        # The embedding of no frame, which is the same in every window; pyannote's clustering expects it.
        found[:] = self._embed(audio(0)[None], np.zeros((1, masks.shape[1], 1), np.bool_))[0, 0]
        spoken = np.flatnonzero(masks.any(axis=(1, 2)))
        size = BATCHES[self.model.device.type]
        for first in range(0, len(spoken), size):
            batch = spoken[first : first + size]
            found[batch] = self._embed(torch.stack([audio(window) for window in batch]), masks[batch])
            progress(int(batch[-1]) + 1)
        return found

    def _embed(self, audio: Tensor, masks: WindowMasks) -> NDArray[np.float32]:
        network, device = self.model.model_, self.model.device
        weights = torch.from_numpy(masks.transpose(0, 2, 1).astype(np.float32)).to(device)
        with torch.inference_mode():
            features = network.compute_fbank(audio.to(device))  # in full precision: it squares 16-bit samples
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                frames = network.resnet.forward_frames(features)
            return np.asarray(network.forward_embedding(frames.float(), weights=weights).cpu().numpy())
