"""What every replacement of pyannote's embedding step needs: the frames of each embedding, and a window's audio."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

Hook = Callable[..., None]  # hook(step, artefact, total=..., completed=...)
WindowMasks = NDArray[np.bool_]  # shape (windows, frames, speakers)


class EmbeddingStep:
    """A replacement of `get_embeddings` of one pipeline; subclasses define how a recording is embedded."""

    def __init__(self, pipeline: Any) -> None:
        self.pipeline = pipeline
        self.model = pipeline._embedding

    def __call__(
        self, file: Any, binary_segmentations: Any, exclude_overlap: bool = False, hook: Hook | None = None
    ) -> NDArray[np.float32]:
        """Return embeddings of shape (windows, speakers, dimension), NaN where there is too little to embed.

        Args:
            file: the recording, as the pipeline received it.
            binary_segmentations: activity, shape (windows, frames, speakers), with the windows' times.
            exclude_overlap: leave out overlapped speech of speakers who speak alone for long enough.
            hook: called with the progress.
        """
        masks = self._masks(binary_segmentations, exclude_overlap)
        segments = [segment for segment, _ in binary_segmentations]

        def audio(window: int) -> Tensor:
            return self.pipeline._audio.crop(file, segments[window], mode="pad")[0]

        def progress(windows: int) -> None:
            if hook is not None:
                hook("embeddings", None, total=len(masks), completed=windows)

        progress(0)
        return self.embed(masks, audio, progress, binary_segmentations.sliding_window.step)

    def embed(
        self, masks: WindowMasks, audio: Callable[[int], Tensor], progress: Callable[[int], None], step: float
    ) -> NDArray[np.float32]:
        """Return embeddings of shape (windows, speakers, dimension).

        Args:
            masks: frames of each embedding.
            audio: returns the samples of a window, shape (1, samples).
            progress: called with the number of windows that are done.
            step: seconds between window starts.
        """
        raise NotImplementedError

    def _masks(self, segmentations: Any, exclude_overlap: bool) -> WindowMasks:
        """Return the frames in which a speaker is alone, or all frames of the speaker if these are too few to embed."""
        active: WindowMasks = np.nan_to_num(segmentations.data) > 0
        if not exclude_overlap:
            return active
        alone = active & (active.sum(axis=2, keepdims=True) < 2)
        samples = segmentations.sliding_window.duration * self.model.sample_rate
        minimum = ceil(active.shape[1] * self.model.min_num_samples / samples)
        return np.where(alone.sum(axis=1, keepdims=True) > minimum, alone, active)
