"""Hostile bytes in, a measured recording or a clean waveform out; all decoding happens in confined processes."""

from parley_core.audio.container import Container, sniff
from parley_core.audio.decode import decode
from parley_core.audio.levels import levels
from parley_core.audio.limits import LEVEL_SAMPLES, SAMPLE_RATE, DecodeLimits
from parley_core.audio.probe import Probe, probe
from parley_core.audio.sandbox import SANDBOX

warm = SANDBOX.warm
close = SANDBOX.close

__all__ = [
    "LEVEL_SAMPLES",
    "SAMPLE_RATE",
    "Container",
    "DecodeLimits",
    "Probe",
    "close",
    "decode",
    "levels",
    "probe",
    "sniff",
    "warm",
]
