"""The embedding step for ONNX models (CAM++), which take the features under a mask: one run per speaker and window.

So speakers cannot share the trunk. But features are computed once per window, and two of three windows are interpolated
where their neighbours agree: almost the same embeddings for less than half of the work.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import interpolate as resized

from parley_worker.engines.pyannote.interpolation import ANCHOR_SECONDS, Anchor, Embeddings, Masks, interpolate
from parley_worker.engines.pyannote.step import EmbeddingStep, WindowMasks


class InterpolatingStep(EmbeddingStep):
    """Embeds windows three seconds apart, and of the windows between them what interpolation leaves open."""

    def embed(
        self, masks: WindowMasks, audio: Callable[[int], Tensor], progress: Callable[[int], None], step: float
    ) -> NDArray[np.float32]:
        found = np.full((len(masks), masks.shape[2], self.model.dimension), np.nan, np.float32)
        frames = step / self.pipeline._segmentation.model.receptive_field.step  # from window to window
        found[0] = self._completed(audio(0), masks[0], found[0])
        for before, after in pairwise(_anchors(len(masks), step)):
            found[after] = self._completed(audio(after), masks[after], found[after])
            for window in range(before + 1, after):
                ends = (Anchor(masks[end], found[end], round((end - window) * frames)) for end in (before, after))
                known = interpolate(masks[window], *ends)
                found[window] = self._completed(audio(window), masks[window], known)
            progress(after + 1)
        return found

    def _completed(self, audio: Tensor, masks: Masks, known: Embeddings) -> Embeddings:
        """Return the known embeddings of a window, and the missing ones from the model."""
        embeddings = known.copy()
        missing = np.flatnonzero(np.isnan(known[:, 0]) & masks.any(axis=0))
        if not len(missing):
            return embeddings
        features = self.model.compute_fbank(audio[None].to(self.model.device))[0]
        on_frames = torch.from_numpy(masks[:, missing].T[None].astype(np.float32))
        on_features = resized(on_frames, size=len(features), mode="nearest")[0] > 0.5  # as pyannote does
        for speaker, mask in zip(missing, on_features, strict=True):
            if mask.sum() >= self.model.min_num_frames:
                chosen = features[mask.to(features.device)].numpy(force=True)
                embeddings[speaker] = self.model.session_.run(["embs"], {"feats": chosen[None]})[0][0]
        return embeddings


def _anchors(windows: int, step: float) -> list[int]:
    """Return the windows that are always embedded: three seconds apart, and the last one."""
    if windows == 1:
        return [0]
    return [*range(0, windows - 1, max(1, int(ANCHOR_SECONDS / step))), windows - 1]
