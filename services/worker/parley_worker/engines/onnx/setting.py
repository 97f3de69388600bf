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
        int8: use the segmentation with seven-bit weights, and on processors where the sums of 8-bit products cannot
            overflow, the trunk with 8-bit weights.
    """

    name: str
    step_seconds: float
    int8: bool

    @property
    def files(self) -> tuple[str, str]:
        """The model files for segmentation and embedding on this machine."""
        if not self.int8:
            return models.SEGMENTATION, models.EMBEDDING
        return models.SEGMENTATION_INT8, models.TRUNK_INT8 if models.int8_sums_are_exact() else models.EMBEDDING


FAST = Setting("fast", 9.0, int8=True)
DEFAULT = Setting("default", 5.0, int8=True)
CAREFUL = Setting("careful", 2.5, int8=False)
