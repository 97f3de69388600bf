"""Embeddings of pyannote's own voice models: the trunk once per window for all its speakers. The numbers stay the same.

These models (WeSpeaker's ResNet, as in community-1) mask what their trunk gives. pyannote still sends a window through
the trunk once per speaker, three times as a rule, and also where nobody speaks.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from parley_worker.engines.pyannote.step import EmbeddingStep, WindowMasks

WINDOWS = 8  # per run of the trunk; a ResNet takes 30 MB for each


class TrunkOnce(EmbeddingStep):
    """On a graphics card the trunk, which is nearly all of the work, runs in bfloat16."""

    def embed(
        self, masks: WindowMasks, sound: Callable[[int], Tensor], progress: Callable[[int], None], step: float
    ) -> NDArray[np.float32]:
        speaking = np.flatnonzero(masks.any(axis=(1, 2)))
        found = np.empty((len(masks), masks.shape[2], self.model.dimension), np.float32)
        found[:] = self._voice_of_silence(sound(0), masks.shape[1])
        for first in range(0, len(speaking), WINDOWS):
            batch = speaking[first : first + WINDOWS]
            found[batch] = self._embed(torch.stack([sound(window) for window in batch]), masks[batch])
            progress(int(batch[-1]) + 1)
        return found

    def _voice_of_silence(self, sound: Tensor, frames: int) -> NDArray[np.float32]:
        """Return what a speaker of no frame gets, which is the same in every window; clustering expects it."""
        return np.asarray(self._embed(sound[None], np.zeros((1, frames, 1), np.bool_))[0, 0])

    def _embed(self, sounds: Tensor, masks: WindowMasks) -> NDArray[np.float32]:
        network, device = self.model.model_, self.model.device
        weights = torch.from_numpy(masks.transpose(0, 2, 1).astype(np.float32)).to(device)
        with torch.inference_mode():
            features = network.compute_fbank(sounds.to(device))  # in full precision: it squares 16-bit samples
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda"):
                frames = network.resnet.forward_frames(features)
            return np.asarray(network.forward_embedding(frames.float(), weights=weights).cpu().numpy())
