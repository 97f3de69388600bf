"""Which corrections count: `undo` and `redo` are corrections too."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from parley_api.http.errors import InvalidCorrection
from parley_api.schemas.corrections import Correction, Redo, Undo


@dataclass(frozen=True, slots=True)
class History:
    """Corrections after all undos and redos.

    Attributes:
        counting: corrections that count, in order.
        undone: corrections that a redo would bring back, the next one last.
    """

    counting: tuple[Correction, ...] = ()
    undone: tuple[Correction, ...] = ()

    @classmethod
    def of(cls, corrections: Iterable[Correction]) -> History:
        """Return the history of stored corrections, oldest first."""
        history = cls()
        for correction in corrections:
            history = history.followed_by(correction)
        return history

    def followed_by(self, correction: Correction) -> History:
        """Return the history after one more correction.

        Raises:
            InvalidCorrection: there is nothing to undo or redo.
        """
        first = correction.operations[0]
        if isinstance(first, Undo):
            if not self.counting:
                raise InvalidCorrection("There is nothing to undo.")
            return History(self.counting[:-1], (*self.undone, self.counting[-1]))
        if isinstance(first, Redo):
            if not self.undone:
                raise InvalidCorrection("There is nothing to redo.")
            return History((*self.counting, self.undone[-1]), self.undone[:-1])
        return History((*self.counting, correction))
