"""How the harness turns wounds on and off inside running processes: a small file, read when it changes."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

VARIABLE = "FAULTS_CONTROL"


@dataclass(frozen=True, slots=True)
class Wounds:
    """What goes wrong at present.

    Attributes:
        die_chance: of a process killing itself right after the step it was started to die after (0 to 1).
        objects_fail: share of calls to the object store that raise (0 to 1).
        objects_delay: seconds that each call to the object store takes longer.
    """

    die_chance: float = 0.0
    objects_fail: float = 0.0
    objects_delay: float = 0.0


class Control:
    """Written by the harness, read by wounded processes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._seen: tuple[int, Wounds] = (0, Wounds())

    @classmethod
    def of_environment(cls) -> Control:
        return cls(Path(os.environ[VARIABLE]))

    def set(self, wounds: Wounds) -> None:
        """Let these be the wounds from now on, in every process of the system."""
        draft = self._path.with_suffix(".draft")
        draft.write_text(json.dumps(asdict(wounds)))
        draft.replace(self._path)

    def heal(self) -> None:
        self.set(Wounds())

    @property
    def wounds(self) -> Wounds:
        changed = self._path.stat().st_mtime_ns
        if changed != self._seen[0]:
            self._seen = (changed, Wounds(**json.loads(self._path.read_text())))
        return self._seen[1]
