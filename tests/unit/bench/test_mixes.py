"""Mixes for the benchmark follow from their seed, and their labels say where sound is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.bench.der import read_rttm
from tests.bench.mixes import RATE, speakers, speech_of, write_mixes


def utterance(seed: int) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    """One second of noise, one of silence, half a second of noise; faint hiss throughout."""
    random = np.random.default_rng(seed)
    sound = random.normal(0, 1e-5, 3 * RATE)
    for start, end in ((0.2, 1.2), (2.2, 2.7)):
        sound[int(start * RATE) : int(end * RATE)] += random.normal(0, 0.1, int((end - start) * RATE))
    return sound.astype(np.float32)


@pytest.fixture
def utterances(tmp_path: Path) -> Path:
    folder = tmp_path / "utterances"
    folder.mkdir()
    for person in range(100, 120):
        soundfile.write(folder / f"{person}-1-0000.flac", utterance(person), RATE)
    return folder


def test_speech_is_where_the_sound_is() -> None:
    np.testing.assert_allclose(speech_of(utterance(1)), [(0.2, 1.2), (2.2, 2.7)], atol=0.021)


def test_nobody_is_in_both_parts(utterances: Path) -> None:
    choose, held_out = set(speakers(utterances, "choose")), set(speakers(utterances, "held-out"))
    assert (len(choose), len(held_out), choose & held_out) == (10, 10, set())


def test_a_mix_follows_from_its_number_and_holds_the_people_its_name_says(utterances: Path, tmp_path: Path) -> None:
    write_mixes(utterances, tmp_path / "one", "choose", 3)
    write_mixes(utterances, tmp_path / "other", "choose", 3)
    for number, path in enumerate(sorted((tmp_path / "one").iterdir())):
        assert path.read_bytes() == (tmp_path / "other" / path.name).read_bytes()
        if path.suffix == ".rttm":
            assert len({turn.speaker for turn in read_rttm(path)}) == 2 + number // 2


def test_the_labels_of_a_mix_lie_on_its_sound(utterances: Path, tmp_path: Path) -> None:
    write_mixes(utterances, tmp_path / "mixes", "held-out", 1)
    (path,) = (tmp_path / "mixes").glob("*.flac")
    sound = soundfile.read(path, dtype="float32")[0]
    turns = read_rttm(path.with_suffix(".rttm"))
    spoken = np.zeros(len(sound), np.bool_)
    for turn in turns:
        spoken[int(turn.start * RATE) : int(turn.end * RATE)] = True
    assert np.sqrt(np.mean(sound[spoken] ** 2)) > 20 * np.sqrt(np.mean(sound[~spoken] ** 2))
