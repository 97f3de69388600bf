"""Measures and decodes recordings from strangers, in confined processes."""

from parley_audio.container import Container, sniff
from parley_audio.decode import DecodedRecording, decode, decode_recording
from parley_audio.levels import levels
from parley_audio.limits import LEVEL_SAMPLES, SAMPLE_RATE, DecodeLimits
from parley_audio.probe import Probe, probe
from parley_audio.sandbox.confinement import missing as missing_confinement
from parley_audio.sandbox.confinement import require_confinement
from parley_audio.sandbox.sandbox import PROBING, SANDBOX

warm = SANDBOX.warm
close = SANDBOX.close

__all__ = [
    "LEVEL_SAMPLES",
    "PROBING",
    "SAMPLE_RATE",
    "Container",
    "DecodeLimits",
    "DecodedRecording",
    "Probe",
    "close",
    "decode",
    "decode_recording",
    "levels",
    "missing_confinement",
    "probe",
    "require_confinement",
    "sniff",
    "warm",
]
