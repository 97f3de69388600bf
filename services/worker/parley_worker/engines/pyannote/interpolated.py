"""Embeddings of ONNX voice models (CAM++), which take features under a mask: each speaker needs a run of its own.

So the trunk cannot be shared. But features are made once per window, and of three windows two are interpolated where
their neighbours leave no doubt: almost the same numbers for less than half of the work.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate as resized

from parley_worker.engines.pyannote.interpolation import ANCHOR_SECONDS, Anchor, Masks, Voices, interpolate
from parley_worker.engines.pyannote.step import EmbeddingStep, WindowMasks


class InterpolatedEmbedding(EmbeddingStep):
    """Hears windows three seconds apart, and of those between them what the interpolation leaves open."""

    def embed(
        self, masks: WindowMasks, sound: Callable[[int], Tensor], progress: Callable[[int], None], step: float
    ) -> NDArray[np.float32]:
        found = np.full((len(masks), masks.shape[2], self.model.dimension), np.nan, np.float32)
        frames = step / self.pipeline._segmentation.model.receptive_field.step  # from window to window
        found[0] = self._hear(sound(0), masks[0], found[0])
        for before, after in pairwise(_anchors(len(masks), step)):
            found[after] = self._hear(sound(after), masks[after], found[after])
            for window in range(before + 1, after):
                ends = (Anchor(masks[end], found[end], round((end - window) * frames)) for end in (before, after))
                found[window] = self._hear(sound(window), masks[window], interpolate(masks[window], *ends))
            progress(after + 1)
        return found

    def _hear(self, sound: Tensor, masks: Masks, known: Voices) -> Voices:
        """Return the voices that are known, and the others as the model hears them."""
        voices = known.copy()
        missing = np.flatnonzero(np.isnan(known[:, 0]) & masks.any(axis=0))
        if not len(missing):
            return voices
        features = self.model.compute_fbank(sound[None].to(self.model.device))[0]
        for speaker, chosen in zip(missing, _resized(masks[:, missing], len(features)), strict=True):
            if chosen.sum() >= self.model.min_num_frames:
                voices[speaker] = self._run(features[chosen.to(features.device)])
        return voices

    def _run(self, features: Tensor) -> NDArray[np.float32]:
        inputs = {"feats": features.numpy(force=True)[None]}
        return np.asarray(self.model.session_.run(["embs"], inputs)[0][0])


def _anchors(windows: int, step: float) -> list[int]:
    """Return the windows to be heard: three seconds apart, and the last."""
    return [*range(0, windows - 1, max(1, int(ANCHOR_SECONDS / step))), windows - 1] if windows > 1 else [0]


def _resized(masks: Masks, features: int) -> Tensor:
    """Return masks of shape (frames, speakers) at so many features, shape (speakers, features), as pyannote does."""
    return resized(torch.from_numpy(masks.T[None].astype(np.float32)), size=features, mode="nearest")[0] > 0.5
