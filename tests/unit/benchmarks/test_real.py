"""`make bench-real`: readers of published layouts on made-up folders, and the table. No engine runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

from benchmarks.data.recordings import Recordings
from benchmarks.engines.candidates import STOCK
from benchmarks.engines.process import Run, Runs
from benchmarks.real.__main__ import DEFAULT, main
from benchmarks.real.corpora import Labelled, labelled
from benchmarks.real.preparing import prepare
from benchmarks.real.results import as_json, cells
from benchmarks.scoring.der import read_rttm
from parley_core.turns import Span, Turn, to_rttm

NITE = 'xmlns:nite="http://nite.sourceforge.net/"'


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def sound(path: Path, seconds: float = 1.0, level: float = 0.5) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.full(int(16_000 * seconds), level, np.float32), 16_000, subtype="FLOAT")


def ami(folder: Path) -> None:
    """Punctuation and laughs are no speech; C has segments only, and A's segment does not count beside its words."""
    words = (
        f'<nite:root nite:id="M1.A.words" {NITE}>'
        '<w nite:id="0" starttime="1.0" endtime="1.5">so</w><w nite:id="1" starttime="1.7" endtime="2.0">we</w>'
        '<w nite:id="2" starttime="2.0" endtime="2.0" punc="true">.</w><w nite:id="3">untimed</w>'
        '<vocalsound nite:id="4" starttime="2.0" endtime="4.0" type="laugh"/>'
        '<w nite:id="5" starttime="5.0" endtime="5.5">go</w></nite:root>'
    )
    write(folder / "words" / "M1.A.words.xml", words)
    for speaker in "AC":
        segment = '<segment nite:id="0" transcriber_start="7.0" transcriber_end="9.0"/>'
        write(folder / "segments" / f"M1.{speaker}.segments.xml", f"<nite:root {NITE}>{segment}</nite:root>")
    sound(folder / "amicorpus" / "M1" / "audio" / "M1.Mix-Headset.wav")
    sound(folder / "amicorpus" / "M1" / "audio" / "M1.Array1-01.wav")


AMI_TURNS = (Turn(1.0, 2.0, "A"), Turn(5.0, 5.5, "A"), Turn(7.0, 9.0, "C"))


def notsofar(folder: Path) -> None:
    words = [["<ST/>", 0.5, 0.6], ["hello", 1.0, 1.4], ["you", 1.5, 1.75]]
    segments = [
        {"speaker_id": "Ann", "start_time": 0.5, "end_time": 2.0, "text": "hello you", "word_timing": words},
        {"speaker_id": "Bob B", "start_time": "1.25", "end_time": "3.5", "text": "yes"},
    ]
    write(folder / "MTG" / "MTG_1" / "gt_transcription.json", json.dumps(segments))
    sound(folder / "MTG" / "MTG_1" / "sc_desk_0" / "ch0.wav")
    sound(folder / "MTG" / "MTG_1" / "sc_wall_1" / "ch0.wav")
    sound(folder / "MTG" / "MTG_1" / "mc_ring_0" / "ch0.wav")


NOTSOFAR_TURNS = (Turn(1.0, 1.75, "Ann"), Turn(1.25, 3.5, "Bob B"))


def text_grid(*intervals: tuple[float, float, str]) -> str:
    rows = (
        f'        intervals [{number}]:\n    xmin = {start} \n    xmax = {end} \n    text = "{text}" \n'
        for number, (start, end, text) in enumerate(intervals, 1)
    )
    head = 'File type = "ooTextFile"\nObject class = "TextGrid"\n\nxmin = 0 \nxmax = 9 \nitem []: \n    item [1]:\n'
    return head + "        xmin = 0 \n        xmax = 9 \n" + "".join(rows)


def primock(folder: Path) -> None:
    doctor = text_grid((0, 1, ""), (1, 2.5, 'He said ""hello"".'), (2.5, 9, ""))
    write(folder / "transcripts" / "day1_consultation01_doctor.TextGrid", doctor)
    patient = text_grid((0, 3, ""), (3, 4, "<UNIN/>"), (4, 9, " "))
    write(folder / "transcripts" / "day1_consultation01_patient.TextGrid", patient)
    sound(folder / "audio" / "day1_consultation01_doctor.wav", 1.0, 0.5)
    sound(folder / "audio" / "day1_consultation01_patient.wav", 2.0, 0.25)


PRIMOCK_TURNS = (Turn(1, 2.5, "doctor"), Turn(3, 4, "patient"))


def map_task(folder: Path) -> None:
    guide = '<tu id="1" start="0.5" end="1.0" utt="1">right</tu><sil id="2" start="1.0" end="2.0"/>'
    write(folder / "Data" / "timed-units" / "q1ec1.g.timed-units.xml", f'<timed-units id="g">{guide}</timed-units>')
    follower = '<noi id="1" start="0.0" end="2.0" type="breath"/><tu id="2" start="2.0" end="2.25" utt="1">mmhmm</tu>'
    write(folder / "Data" / "timed-units" / "q1ec1.f.timed-units.xml", f'<timed-units id="f">{follower}</timed-units>')
    sound(folder / "signals" / "dialogues" / "q1ec1.mix.wav")


MAP_TASK_TURNS = (Turn(0.5, 1.0, "g"), Turn(2.0, 2.25, "f"))


def voxconverse(folder: Path) -> None:
    write(folder / "dev" / "abcde.rttm", to_rttm([Turn(0.0, 2.0, "spk00"), Turn(1.0, 3.0, "spk01")], "abcde"))
    sound(folder / "audio" / "abcde.wav")


@pytest.mark.parametrize(
    ("make", "recordings", "turns"),
    [
        (ami, [("AMI, Array1-01", "M1"), ("AMI, Mix-Headset", "M1")], AMI_TURNS),
        (notsofar, [("NOTSOFAR-1", "MTG_1_sc_desk_0"), ("NOTSOFAR-1", "MTG_1_sc_wall_1")], NOTSOFAR_TURNS),
        (primock, [("PriMock57", "day1_consultation01")], PRIMOCK_TURNS),
        (map_task, [("HCRC Map Task", "q1ec1")], MAP_TASK_TURNS),
        (voxconverse, [("RTTM in dev", "abcde")], (Turn(0.0, 2.0, "spk00"), Turn(1.0, 3.0, "spk01"))),
    ],
)
def test_a_corpus_is_read_in_its_published_layout(
    make: Callable[[Path], None], recordings: list[tuple[str, str]], turns: tuple[Turn, ...], tmp_path: Path
) -> None:
    make(tmp_path / "corpus")
    found = labelled(tmp_path)
    assert [(one.corpus, one.name) for one in found] == recordings
    assert all(one.turns == turns for one in found)
    assert all(one.is_complete for one in found)


def test_one_folder_holds_several_corpora(tmp_path: Path) -> None:
    for make in (ami, notsofar, primock, map_task, voxconverse):
        make(tmp_path / make.__name__)
    assert len({one.corpus for one in labelled(tmp_path)}) == 6


def test_labels_without_their_audio_are_not_complete(tmp_path: Path) -> None:
    for make in (ami, notsofar, primock, map_task, voxconverse):
        make(tmp_path / make.__name__)
    for path in tmp_path.rglob("*.wav"):
        path.unlink()
    found = labelled(tmp_path)
    assert len(found) == 5
    assert not any(one.is_complete for one in found)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("gt_transcription.json", "{"),
        ("gt_transcription.json", '[{"text": "no speaker"}]'),
        ("a.A.words.xml", "<w"),
        ("a.rttm", "SPEAKER a 1"),
        ("a_doctor.TextGrid", ""),
    ],
)
def test_labels_that_cannot_be_read_are_an_error_in_a_sentence(
    name: str, text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / name, text)
    assert main([str(tmp_path)]) == 2
    assert "published layout" in capsys.readouterr().err


def test_a_folder_without_recordings_is_an_error_in_a_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 2
    assert "No recording with labels" in capsys.readouterr().err


def test_audio_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A clone without Git LFS has small text files instead of recordings."""
    primock(tmp_path)
    (tmp_path / "audio" / "day1_consultation01_patient.wav").write_text("version https://git-lfs.github.com/spec/v1\n")
    assert main([str(tmp_path)]) == 2
    assert "day1_consultation01_patient.wav" in capsys.readouterr().err.replace("\n", "")


def test_two_channels_in_two_files_are_mixed_and_cut(tmp_path: Path) -> None:
    primock(tmp_path / "data")
    (tmp_path / "prepared").mkdir()
    (one,) = prepare(labelled(tmp_path / "data"), tmp_path / "prepared", 1.5)
    assert (one.name, one.count, one.inside) == ("PriMock57", 1, Span(0, 1.5))
    mixed, rate = soundfile.read(one.paths[0])
    assert rate == 16_000
    assert len(mixed) == 24_000
    assert mixed[[0, 15_999, 16_000]] == pytest.approx([0.375, 0.375, 0.125], abs=1e-4)


def test_names_with_blanks_are_read_back(tmp_path: Path) -> None:
    notsofar(tmp_path / "data")
    (tmp_path / "prepared").mkdir()
    (one,) = prepare(labelled(tmp_path / "data"), tmp_path / "prepared", None)
    assert [turn.speaker for turn in read_rttm(one.paths[0].with_suffix(".rttm"))] == ["Ann", "Bob_B"]


def test_the_table_has_a_row_per_corpus_and_three_columns_per_engine(tmp_path: Path) -> None:
    found = [Labelled(name, "a", (), (Turn(0, 10, "anna"),)) for name in ("one", "two")]
    sets = []
    for number, one in enumerate(found):
        folder = tmp_path / str(number)
        write(folder / "a.rttm", to_rttm(one.turns, "a"))
        (folder / "a.flac").touch()
        sets.append(Recordings(one.corpus, folder, None))
    late = Turn(0.2, 10, "x")
    runs = Runs(1.0, tuple(Run(str(one.folder), "a", 3600.0, 36.0, 36.0, None, 1, (late,)) for one in sets))
    rows = as_json(sets, {DEFAULT: runs, STOCK: runs})
    assert [row["corpus"] for row in rows] == ["one", "one", "two", "two"]
    assert rows[0]["der"] == rows[0]["missed"] == pytest.approx(2.0)
    assert rows[0]["der_with_collar"] == 0.0
    assert rows[0]["cpu_seconds_per_audio_second"] == pytest.approx(0.01)
    assert cells(rows)[0][3:6] == ["onnx, default: DER", "±250 ms", "miscounted"]
    assert cells(rows)[2] == ["two", "1", "1.00", "2.00 %", "0.00 %", "0", "2.00 %", "0.00 %", "0"]
