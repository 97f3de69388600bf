"""Which role a speaker has by the channel in which the speaker is loudest."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from parley_core.turns import Diarization, Turn
from parley_core.voiceprints import Role
from parley_worker.attempt.channel_roles import LEVELS_PER_SECOND, roles_by_channel

CLINICIAN, PATIENT, OTHER = Role.CLINICIAN, Role.PATIENT, Role.OTHER
SECONDS = 10.0


def diarized(*turns: tuple[float, float, str]) -> Diarization:
    made = tuple(Turn(*turn) for turn in turns)
    return Diarization(made, made, ())


TWO = diarized((0.0, 4.0, "A"), (5.0, 10.0, "B"))


def levels_of(diarization: Diarization, loudness: dict[str, list[float]]) -> NDArray[np.float32]:
    """Levels in decibels per speaker and channel, over the noise of a room."""
    channels = len(next(iter(loudness.values())))
    levels = np.full((int(SECONDS * LEVELS_PER_SECOND), channels), 1e-7, np.float32)
    for turn in diarization.turns:
        part = slice(round(turn.start * LEVELS_PER_SECOND), round(turn.end * LEVELS_PER_SECOND))
        levels[part] += 10 ** (np.array(loudness[turn.speaker], np.float32) / 10)
    return levels


def test_each_speaker_has_the_role_of_the_loudest_channel() -> None:
    levels = levels_of(TWO, {"A": [-20, -32], "B": [-32, -20]})
    assert roles_by_channel(TWO, levels, [CLINICIAN, PATIENT]) == {"A": CLINICIAN, "B": PATIENT}
    assert roles_by_channel(TWO, levels, [PATIENT, OTHER]) == {"A": PATIENT, "B": OTHER}


def test_a_microphone_turned_down_is_still_its_owners() -> None:
    """Left is 20 dB quieter, so that every speaker is loudest on the right."""
    levels = levels_of(TWO, {"A": [-40, -32], "B": [-52, -20]})
    assert roles_by_channel(TWO, levels, [CLINICIAN, PATIENT]) == {"A": CLINICIAN, "B": PATIENT}


def test_speakers_may_share_a_channel() -> None:
    three = diarized((0.0, 3.0, "A"), (3.0, 6.0, "B"), (6.0, 10.0, "C"))
    levels = levels_of(three, {"A": [-20, -32], "B": [-32, -20], "C": [-33, -22]})
    assert roles_by_channel(three, levels, [CLINICIAN, PATIENT]) == {"A": CLINICIAN, "B": PATIENT, "C": PATIENT}


def test_equal_sound_on_both_channels_gives_no_role() -> None:
    levels = levels_of(TWO, {"A": [-20, -20], "B": [-26, -26]})
    assert roles_by_channel(TWO, levels, [CLINICIAN, PATIENT]) == {}


def test_a_speaker_alone_is_placed_by_level_alone() -> None:
    one = diarized((0.0, 4.0, "A"))
    assert roles_by_channel(one, levels_of(one, {"A": [-32, -20]}), [CLINICIAN, PATIENT]) == {"A": PATIENT}
    assert roles_by_channel(one, levels_of(one, {"A": [-20, -20]}), [CLINICIAN, PATIENT]) == {}


def test_a_turn_shorter_than_a_level_and_one_at_the_very_end_count() -> None:
    edges = diarized((0.0, 4.0, "A"), (5.0, 5.005, "B"), (9.999, 10.004, "C"))
    levels = levels_of(edges, {"A": [-20, -32], "B": [-20, -32], "C": [-20, -32]})
    levels[250] = levels[-1] = (1e-4, 1e-2)
    assert roles_by_channel(edges, levels, [CLINICIAN, PATIENT]) == {"A": CLINICIAN, "B": PATIENT, "C": PATIENT}


def test_a_recording_without_speakers_has_no_roles() -> None:
    assert roles_by_channel(diarized(), np.zeros((5, 2), np.float32), [CLINICIAN, PATIENT]) == {}
