"""Switches faults inside running processes on and off, by a file that they read when it changes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "FAULTS_CONTROL"


@dataclass(frozen=True, slots=True)
class ActiveFaults:
    """The faults that are active now.

    Attributes:
        kill_probability: probability that a process kills itself after each of its FAULTS_DIE_AFTER steps.
        object_error_share: share of calls to the object store that raise an error.
        object_delay_seconds: additional duration of each call to the object store.
    """

    kill_probability: float = 0.0
    object_error_share: float = 0.0
    object_delay_seconds: float = 0.0


class Control:
    """The control file. The harness writes it, and processes started by launch.py read it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, ActiveFaults] = (0, ActiveFaults())

    @classmethod
    def of_environment(cls) -> Control:
        return cls(Path(os.environ[VARIABLE]))

    def set(self, active: ActiveFaults) -> None:
        """Activate these faults in every process of the system."""
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(active)))
        draft.replace(self._path)

    def clear(self) -> None:
        self.set(ActiveFaults())

    @property
    def active(self) -> ActiveFaults:
        changed = self._path.stat().st_mtime_ns
        if changed != self._seen[0]:
            self._seen = (changed, ActiveFaults(**json.loads(self._path.read_text())))
        return self._seen[1]
