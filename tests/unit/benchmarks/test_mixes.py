"""Mixes are deterministic, and their labels match their sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.data.conditions import CONDITIONS
from benchmarks.data.mixes import RATE, mix, parts_of, speakers, write_mixes
from benchmarks.data.speech import speech_by_level, speech_of
from benchmarks.scoring.der import read_rttm

Waveform = np.ndarray[tuple[int], np.dtype[np.float32]]
CONVERSATION = ["100", "101", "102"]


def utterance(seed: int) -> Waveform:
    """One second of noise, one of silence, half a second of noise; faint noise throughout."""
    random = np.random.default_rng(seed)
    sound = random.normal(0, 1e-5, 3 * RATE)
    for start, end in ((0.2, 1.2), (2.2, 2.7)):
        sound[int(start * RATE) : int(end * RATE)] += random.normal(0, 0.1, int((end - start) * RATE))
    return sound.astype(np.float32)


@pytest.fixture(scope="module")
def utterances(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("utterances")
    for person in range(100, 120):
        soundfile.write(folder / f"{person}-1-0000.flac", utterance(person), RATE)
    return folder


def loudness(sound: Waveform) -> float:
    return float(np.sqrt(np.mean(sound**2)))


def test_speech_by_level_is_where_the_sound_is() -> None:
    np.testing.assert_allclose(speech_by_level(utterance(1)), np.array([(0.2, 1.2), (2.2, 2.7)]) * RATE, atol=340)


def test_a_known_utterance_has_the_stored_labels() -> None:
    assert speech_of("1098-133695-0000", utterance(1)) == [(2240, 57664), (65728, 226560)]


def test_an_utterance_is_cut_at_its_long_pauses_only() -> None:
    sound = np.zeros(5 * RATE, np.float32)
    short, long = (RATE, 2 * RATE), (int(2.4 * RATE), 3 * RATE)
    parts = list(parts_of(sound, [short, long, (4 * RATE, 5 * RATE)]))
    assert [speech for _, speech in parts] == [[(320, RATE + 320), (22_720, 32_320)], [(320, RATE + 320)]]
    assert [len(part) for part, _ in parts] == [2 * RATE + 640, RATE + 320]


def test_everybody_is_in_exactly_one_split(utterances: Path) -> None:
    splits = [set(speakers(utterances, split)) for split in ("tuning", "validation", "test")]
    assert [len(split) for split in splits] == [10, 5, 5]
    assert len(set.union(*splits)) == 20


def test_a_mix_is_deterministic_and_has_the_number_of_people_in_its_name(utterances: Path, tmp_path: Path) -> None:
    write_mixes(utterances, tmp_path / "one", "tuning", 3)
    write_mixes(utterances, tmp_path / "other", "tuning", 3)
    for number, path in enumerate(sorted((tmp_path / "one").iterdir())):
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
        if path.suffix == ".rttm":
            assert len({turn.speaker for turn in read_rttm(path)}) == 2 + number // 2


@pytest.mark.parametrize("name", CONDITIONS)
def test_the_labels_of_a_mix_match_its_sound(utterances: Path, name: str) -> None:
    condition = CONDITIONS[name]
    crowd = [str(110 + number) for number in range(condition.crowd)]
    sound, turns = mix(utterances, CONVERSATION, 4, condition, crowd)
    spoken = np.zeros(len(sound), np.bool_)
    for turn in turns:
        spoken[int(turn.start * RATE) : int(turn.end * RATE)] = True
    talk = slice(int((condition.lead - 0.5) * RATE), None)  # music may be as loud as speech
    assert sound.dtype == np.float32
    assert loudness(sound[talk][spoken[talk]]) > 1.4 * loudness(sound[talk][~spoken[talk]])


def test_the_telephone_condition_has_nothing_above_its_band(utterances: Path) -> None:
    sound, _ = mix(utterances, CONVERSATION, 4, CONDITIONS["telephone"])
    spectrum = np.abs(np.fft.rfft(sound)) ** 2
    at = np.fft.rfftfreq(len(sound), 1 / RATE)
    assert spectrum[at > 4200].mean() < 1e-3 * spectrum[(at > 300) & (at < 3400)].mean()


def test_reverberation_continues_after_the_last_word(utterances: Path) -> None:
    tails = [
        mix(utterances, CONVERSATION, 4, CONDITIONS[name])[0][-RATE // 2 : -RATE // 4] for name in ("clean", "echo")
    ]
    assert loudness(tails[1]) > 3 * loudness(tails[0])
