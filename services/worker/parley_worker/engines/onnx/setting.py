"""What more care costs: three ways to run the engine, each with its figures in docs/engine.md."""

from __future__ import annotations

from dataclasses import dataclass

from parley_worker.engines.onnx import models


@dataclass(frozen=True, slots=True)
class Setting:
    """A point on the scale from cheap to careful.

    Attributes:
        name: as results state it.
        step_seconds: between windows of segmentation, which are ten seconds long.
        eight_bits: whether weights are in eight bits, where this processor counts in them without overflow.
    """

    name: str
    step_seconds: float
    eight_bits: bool

    @property
    def files(self) -> tuple[str, str]:
        """The model files for segmentation and embedding on this machine."""
        if self.eight_bits and models.eight_bits_hold():
            return models.SEGMENTATION_INT8, models.TRUNK_INT8
        return models.SEGMENTATION, models.EMBEDDING


FAST = Setting("fast", 9.0, eight_bits=True)
DEFAULT = Setting("default", 5.0, eight_bits=True)
CAREFUL = Setting("careful", 2.5, eight_bits=False)
