"""The decision of the engine about a recording, and the evidence for it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_worker.engines.onnx.assignment import Assignment
from parley_worker.engines.onnx.clustering import FoundSpeakers
from parley_worker.engines.onnx.confidence import Evidence
from parley_worker.engines.onnx.embedding import Embeddings
from parley_worker.engines.onnx.segmentation import Segmentation
from parley_worker.engines.onnx.trunk import Floats


class Decision:
    """Who speaks when.

    Args:
        segmentation: of the recording, with speech.
        embeddings: of the recording.
        found: the speakers.
        bounds: of the number of speakers.

    Attributes:
        found: as given.
        speakers: embeddings of the speakers, unit vectors of shape (speakers, 192).
        embedding_frames: as in the embeddings, shape (embedding frames, 192).
        active: shape (frames, speakers or more).
        evidence: for any part of `active`.
        activity: of the local speakers, shape (windows, 589, 3).
        nearest: the speaker of each local speaker, shape (windows, 3).
    """

    def __init__(
        self, segmentation: Segmentation, embeddings: Embeddings, found: FoundSpeakers, bounds: SpeakerBounds
    ) -> None:
        self.found = found
        self.speakers = found.embeddings
        self.embedding_frames = embeddings.frames
        self._expected = segmentation.expected
        self._assignment = Assignment(segmentation, embeddings, found.embeddings)
        self._count = np.minimum(segmentation.count, bounds.max or segmentation.count.max())
        self.active = self._with_at_least(bounds.min or 1)
        self.activity = segmentation.activity
        self.nearest = self._assignment.nearest
        self.evidence = Evidence(segmentation, self._assignment, self.active)

    def similarity_alone(self) -> Iterator[Floats]:
        """Yield per speaker the cosine similarity of each frame to them; NaN where they do not speak alone."""
        known = self.active[:, : len(self.speakers)]
        alone = (self.active.sum(axis=1) == 1) & known.any(axis=1)
        speaker = known.argmax(axis=1)
        similarity = self._assignment.similarity_to_one(speaker)
        for one in range(len(self.speakers)):
            yield np.where(alone & (speaker == one), similarity, np.float32(np.nan))

    def exclusive(self) -> NDArray[np.bool_]:
        """Return the activity with at most one speaker per frame, who is one of the active speakers of that frame."""
        return self._assignment.active(np.minimum(self._count, 1))

    def shares(self, part: slice) -> tuple[Floats, Floats]:
        """Return each speaker's share in some frames, and the expected number of people who talk there.

        Returns:
            Softmax of the scores, shape (frames, speakers or more), and shape (frames,).
        """
        scores = self._assignment.scores(part)
        odds = np.exp(scores - scores.max(axis=1, keepdims=True))
        share = odds / odds.sum(axis=1, keepdims=True)
        unknown = self.active[part, share.shape[1] :].astype(np.float32)  # speakers who have no embedding
        return np.concatenate([share, unknown], axis=1), self._expected[part]

    def _with_at_least(self, minimum: int) -> NDArray[np.bool_]:
        """Return the activity with a minimum number of speakers, as far as there are embeddings of speakers."""
        active = self._assignment.active(self._count)
        for speaker in range(len(self.speakers)):
            if active.any(axis=0).sum() < minimum and not active[:, speaker].any():
                self._assignment.force(speaker, self._count)
                active = self._assignment.active(self._count)
        return active
