"""How an engine lets its work be continued: each step yields parts, and kept parts are not computed again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from parley_core.job import SpeakerBounds
from parley_core.turns import Diarization
from parley_worker.engines.port import Engine, Report


class Part(NamedTuple):
    """Output of a step for consecutive windows.

    Attributes:
        first: first window.
        end: the window after the last one.
        arrays: by name. The arrays of consecutive parts can be joined along their first axis.
    """

    first: int
    end: int
    arrays: Mapping[str, NDArray[Any]]


class Checkpoint(Protocol):
    """The parts of one recording that are kept."""

    def continued(self, step: str, total: int, compute: Callable[[int], Iterator[Part]]) -> Iterator[Part]:
        """Yield all parts of a step in order: first those that are kept, then computed ones.

        Args:
            step: name of the step.
            total: windows of the recording.
            compute: yields the parts from a window on. The window is 0 or the end of a part that it has yielded.
        """
        ...


class NoCheckpoint:
    """Keeps nothing."""

    def continued(self, step: str, total: int, compute: Callable[[int], Iterator[Part]]) -> Iterator[Part]:
        return compute(0)


NO_CHECKPOINT = NoCheckpoint()


@runtime_checkable
class ResumableEngine(Engine, Protocol):
    """An engine whose work can be continued. The turns are those of an undisturbed run, bit by bit."""

    def resume(
        self, waveform: NDArray[np.float32], speakers: SpeakerBounds, report: Report, checkpoint: Checkpoint
    ) -> Diarization:
        """Do what `diarize` does, without what the checkpoint has."""
        ...
