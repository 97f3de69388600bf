"""Who speaks at each moment, decided once more when the speakers are known.

Segmentation mixes speakers inside a window, and clustering cannot mend that: with the true speaker of every local
speaker, 9.9 % of errors stay. So the windows' votes are only one voice in the matter; the other is how near each
speaker comes to what is heard around the moment. That gets below the oracle.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.embedding import CELL, Voices
from parley_worker.engines.onnx.features import FRAME
from parley_worker.engines.onnx.features import HOP as FEATURE_HOP
from parley_worker.engines.onnx.frames import covering, speaker_votes, strongest
from parley_worker.engines.onnx.grid import FRAME_FIELD, FRAME_HOP
from parley_worker.engines.onnx.segmentation import Segmentation
from parley_worker.engines.onnx.trunk import STRIDE, Frames

NEARNESS = 8.0  # weight of a cosine beside the share of windows that vote for a speaker
MOMENT = 30  # frames, 0.5 s, that are given to a speaker who must be there and was chosen nowhere
AHEAD = 1e-3  # of the next speaker's score, there: as unsure as can be
BLOCK = 60_000  # frames, 17 minutes, scored at a time: what four hours need at once is no more

_CELL_SAMPLES = CELL * STRIDE * FEATURE_HOP


class Assignment:
    """The decision for every frame of a recording.

    Args:
        speakers: unit vectors, shape (speakers, 192), at least one.
    """

    def __init__(self, segmentation: Segmentation, voices: Voices, speakers: Frames) -> None:
        self._cells, self._speakers = voices.cells, speakers
        votes = speaker_votes(segmentation.activity, nearest(voices.local, speakers), segmentation.step)
        self._votes = np.pad(votes, ((0, 0), (0, len(speakers) - votes.shape[1])))
        self._windows = covering(len(segmentation.activity), segmentation.step)
        self._given: list[tuple[int, slice]] = []

    def active(self, count: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return who speaks, shape (frames, speakers or more): in each frame as many as `count` says."""
        width = max(len(self._speakers), int(count.max()))
        active = np.zeros((len(count), width), np.bool_)
        for part in _parts(len(count)):
            chosen = strongest(self.scores(part), count[part])
            active[part, : chosen.shape[1]] = chosen
        return active

    def give_a_moment(self, speaker: int, count: NDArray[np.int64]) -> None:
        """Give a speaker the moment in which they are least behind another, of those when somebody speaks."""
        behind = np.concatenate([self._behind(speaker, part) for part in _parts(len(count))])
        behind[count == 0] = np.inf
        for _, given in self._given:
            behind[given] = np.inf
        middle = int(behind.argmin())
        self._given.append((speaker, slice(max(0, middle - MOMENT // 2), middle + MOMENT // 2)))

    def scores(self, part: slice) -> Frames:
        """Return how much speaks for each speaker in some frames, shape (frames, speakers)."""
        return self.weighed(part, *self.grounds(part))

    def weighed(self, part: slice, share: Frames, nearness: Frames) -> Frames:
        """Return the scores that follow from the grounds of some frames."""
        scores = np.asarray(share + NEARNESS * nearness, np.float32)
        for speaker, given in self._given:
            inside = slice(max(0, given.start - part.start), max(0, given.stop - part.start))
            scores[inside, speaker] = scores[inside].max(axis=1) + AHEAD
        return scores

    def grounds(self, part: slice) -> tuple[Frames, Frames]:
        """Return the share of windows that hear each speaker, and the cosine to each, both (frames, speakers)."""
        cells = cell_of(np.arange(part.start, part.stop)).clip(0, len(self._cells) - 1)
        first, last = cells[0], cells[-1] + 1
        nearness = self._cells[first:last].astype(np.float32) @ self._speakers.T
        share = self._votes[part] / self._windows[part, None].astype(np.float32)
        return np.asarray(share, np.float32), nearness[cells - first]

    def _behind(self, speaker: int, part: slice) -> Frames:
        """Return how far a speaker is behind the best other one in each frame."""
        scores = self.scores(part)
        own = scores[:, speaker].copy()
        scores[:, speaker] = -np.inf
        return np.asarray(scores.max(axis=1) - own)


def _parts(frames: int) -> list[slice]:
    return [slice(start, min(start + BLOCK, frames)) for start in range(0, frames, BLOCK)]


def nearest(local: Frames, speakers: Frames) -> NDArray[np.int64]:
    """Return the speaker of each local speaker, shape (windows, 3); any where there is no voice to go by."""
    return np.asarray((local @ speakers.T).argmax(axis=2))


def cell_of(frames: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the cell whose middle lies nearest to each frame's."""
    middle = frames * FRAME_HOP + FRAME_FIELD / 2 - FRAME / 2
    return np.asarray(np.rint(middle / _CELL_SAMPLES), np.int64)
