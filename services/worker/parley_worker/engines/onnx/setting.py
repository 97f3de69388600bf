"""Three settings of the engine, from cheap to careful; docs/evaluation.md has the figures of each."""

from __future__ import annotations

from dataclasses import dataclass

from parley_worker.engines.onnx import models


@dataclass(frozen=True, slots=True)
class Setting:
    """A trade-off between cost and errors.

    Attributes:
        name: as results state it.
        step_seconds: between window starts of the segmentation; windows are ten seconds long.
        int8: use the 8-bit weights, where our own arithmetic runs; elsewhere the released ones.
    """

    name: str
    step_seconds: float
    int8: bool

    @property
    def files(self) -> tuple[str, str]:
        """The model files for segmentation and embedding on this machine."""
        own = self.int8 and models.arithmetic()
        return (models.SEGMENTATION_INT8, models.TRUNK_INT8) if own else (models.SEGMENTATION, models.EMBEDDING)


FAST = Setting("fast", 9.0, int8=True)
DEFAULT = Setting("default", 5.0, int8=True)
CAREFUL = Setting("careful", 2.5, int8=False)
