"""The corrections of a result in the object store: numbered objects beside the result, which are never changed.

Each object is created under the number of its version, so that of two people who correct the same version one wins.
It holds the corrections of its block up to itself: a thousand corrections are read in a few dozen requests.
"""

from __future__ import annotations

from collections.abc import Callable

from pydantic import BaseModel, TypeAdapter

from parley_api.http.errors import CorrectionConflict, TooManyCorrections
from parley_api.schemas.corrections import Correction
from parley_core.errors import JobPurged
from parley_core.ports import RecordingStore

BLOCK = 32  # corrections that one object can hold
MAX_CORRECTIONS = 1000  # of one result
DIGITS = 6  # of the number in the name of an object


class _Stored(BaseModel):
    format: int = 1  # readers ignore members that they do not know
    corrections: tuple[Correction, ...]


_ADAPTER = TypeAdapter(_Stored)


class CorrectionLog:
    """The corrections of one result. Every method raises ObjectStoreUnavailable.

    Args:
        objects: the object store.
        result_key: key of the result. The log is kept beside it, so that it goes when the result goes.
    """

    def __init__(self, objects: RecordingStore, result_key: str) -> None:
        self._objects = objects
        self._folder = f"{result_key.removesuffix('.json')}.corrections"

    def read(self) -> tuple[Correction, ...]:
        """Return all corrections, oldest first. Raises JobPurged while the job is being deleted."""
        names = [entry.key.rpartition("/")[2] for entry in self._objects.entries(f"{self._folder}/")]
        newest = max((int(name.removesuffix(".json")) for name in names), default=0)
        ends = [*range(BLOCK, newest, BLOCK), newest] if newest else []
        return tuple(correction for end in ends for correction in self._block(end))

    def append(self, earlier: tuple[Correction, ...], new: Correction, is_purged: Callable[[], bool]) -> None:
        """Store a correction after those that `read` returned.

        Args:
            is_purged: says whether the job is being deleted. It is asked after the write: then either the deletion
                sees the object, or this call sees the deletion and removes the object.

        Raises:
            CorrectionConflict: another correction has this number.
            TooManyCorrections: there are as many as there may be.
            JobPurged: the job is being deleted.
        """
        if len(earlier) >= MAX_CORRECTIONS:
            raise TooManyCorrections(f"A result takes at most {MAX_CORRECTIONS} corrections.")
        first_of_block = len(earlier) // BLOCK * BLOCK
        stored = _Stored(corrections=(*earlier[first_of_block:], new))
        if not self._objects.create(self._key(new.version), _ADAPTER.dump_json(stored)):
            raise CorrectionConflict(new.version)
        if is_purged():
            self._objects.delete(self._key(new.version))
            raise JobPurged("The job is being deleted.")

    def _block(self, end: int) -> tuple[Correction, ...]:
        try:
            return _ADAPTER.validate_json(self._objects.read(self._key(end))).corrections
        except KeyError:
            raise JobPurged("The corrections are gone: the job is being deleted.") from None

    def _key(self, number: int) -> str:
        return f"{self._folder}/{number:0{DIGITS}d}.json"
