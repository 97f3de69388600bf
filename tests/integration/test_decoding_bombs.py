"""Recordings whose structure is a bomb cost no more than others, and say why they are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from parley_audio import DecodeLimits, decode, probe
from parley_core.errors import RecordingError, UnreadableRecording
from tests.support.bombs import BOMBS

LIMITS = DecodeLimits(max_seconds=900, cpu_seconds=2)  # the kernel ends what takes more


@pytest.mark.parametrize("name", BOMBS)
def test_a_structure_costs_less_than_two_seconds_of_processor_time(name: str, tmp_path: Path) -> None:
    make, told = BOMBS[name]
    file = tmp_path / "recording"
    file.write_bytes(make())
    try:
        found = probe(file, LIMITS)
    except RecordingError as error:
        assert "processor time" not in error.detail
        assert told in error.detail, error.detail
    else:
        assert not told, found


def test_a_decoder_without_progress_says_what_is_wrong_with_the_recording(tmp_path: Path) -> None:
    make, told = BOMBS["flac, tags"]
    file = tmp_path / "recording"
    file.write_bytes(make())
    with pytest.raises(UnreadableRecording, match=told):
        decode(file)


def test_a_probe_is_over_in_seconds_on_the_clock_whatever_the_limit_of_a_decoding() -> None:
    assert DecodeLimits.for_seconds(900).for_probe().wall_seconds < 20
    assert DecodeLimits.for_seconds(4 * 3600).for_probe().wall_seconds < 60
    assert DecodeLimits(cpu_seconds=1).for_probe().cpu_seconds == 1
