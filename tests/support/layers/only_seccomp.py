"""Decoders without Landlock."""

from parley_audio.sandbox import confinement

confinement.missing = lambda: (confinement.LANDLOCK,)  # type: ignore[assignment]
