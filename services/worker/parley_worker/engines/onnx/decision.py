"""What the engine decides of a recording, with the grounds for it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx.assignment import Assignment
from parley_worker.engines.onnx.confidence import Evidence
from parley_worker.engines.onnx.embedding import Voices
from parley_worker.engines.onnx.segmentation import Segmentation
from parley_worker.engines.onnx.trunk import Frames


class Decision:
    """Who speaks when.

    Args:
        heard: by the segmentation; somebody speaks in it.
        people: how the speakers sound, unit vectors of shape (speakers, 192).
        bounds: number of speakers.

    Attributes:
        active: shape (frames, speakers or more).
        evidence: for and against any part of it.
    """

    def __init__(self, heard: Segmentation, voices: Voices, people: Frames, bounds: SpeakerBounds) -> None:
        self.people = people
        self._assignment = Assignment(heard, voices, people)
        self._count = np.minimum(heard.count, bounds.max or heard.count.max())
        self.active = self._active(bounds.min or 1)
        self.evidence = Evidence(heard, self._assignment, self.active)

    def exclusive(self) -> NDArray[np.bool_]:
        """Return the same with at most one speaker in each frame, who is among those that are active."""
        return self._assignment.active(np.minimum(self._count, 1))

    def _active(self, least: int) -> NDArray[np.bool_]:
        """Return who speaks; so many people at least, as far as there are voices."""
        active = self._assignment.active(self._count)
        for speaker in range(len(self.people)):
            if active.any(axis=0).sum() < least and not active[:, speaker].any():
                self._assignment.give_a_moment(speaker, self._count)
                active = self._assignment.active(self._count)
        return active
