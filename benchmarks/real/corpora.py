"""Readers for labelled corpora in the layouts in which they are published.

Each reader takes the names of all files below a folder, so that one folder can hold any number of corpora. Labels of
single words become turns by the rule of the NIST rich transcription evaluations: a speaker's pause of at most 0.3 s is
part of the turn.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from benchmarks.scoring.der import read_rttm
from parley_core.turns import Turn

JOINED_PAUSE = 0.3  # seconds
AMI_MICROPHONES = ("Mix-Headset", "Array1-01")
PRIMOCK_ROLES = ("doctor", "patient")
INTERVAL = re.compile(r'intervals \[\d+\]:\s*xmin = (\S+)\s*xmax = (\S+)\s*text = "((?:[^"]|"")*)"')
FILLER = re.compile(r"<.*>")  # of NOTSOFAR: no word

Files = Mapping[str, Path]  # by name


@dataclass(frozen=True, slots=True)
class Labelled:
    """A recording with its true turns.

    Attributes:
        corpus: with the microphone, where there are several.
        name: unique within the corpus.
        audio: one file, or one per speaker; files that do not exist are missing from the folder.
        turns: by start time.
    """

    corpus: str
    name: str
    audio: tuple[Path, ...]
    turns: tuple[Turn, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every file is there and somebody speaks."""
        return bool(self.turns) and all(path.is_file() for path in self.audio)


def labelled(folder: Path) -> list[Labelled]:
    """Return the recordings of every corpus below a folder, complete or not, by corpus and name.

    Raises:
        ValueError: a label file cannot be read; the message names it.
    """
    files = {path.name: path for path in sorted(folder.rglob("*")) if path.suffix in (".wav", ".flac")}
    found = [one for read in (_ami, _notsofar, _primock, _map_task, _rttm) for one in _read(read, folder, files)]
    return sorted(found, key=lambda one: (one.corpus, one.name))


def _read(read: Callable[[Path, Files], Iterator[Labelled]], folder: Path, files: Files) -> list[Labelled]:
    try:
        return list(read(folder, files))
    except (OSError, LookupError, TypeError, ValueError, ElementTree.ParseError) as error:
        reader = read.__name__[1:]
        raise ValueError(f"Labels below {folder} are not in the published layout ({reader}): {error}.") from error


def joined(turns: Iterable[Turn]) -> tuple[Turn, ...]:
    """Return turns in which a speaker's short pauses are filled, by start time."""
    by_speaker: dict[str, list[Turn]] = defaultdict(list)
    for turn in sorted(turns, key=lambda turn: turn.start):
        mine = by_speaker[turn.speaker]
        if mine and turn.start - mine[-1].end <= JOINED_PAUSE:
            mine[-1] = Turn(mine[-1].start, max(turn.end, mine[-1].end), turn.speaker)
        else:
            mine.append(turn)
    return tuple(sorted((turn for mine in by_speaker.values() for turn in mine), key=lambda turn: turn.start))


def _timed(path: Path, tag: str, start: str, end: str, speaker: str) -> list[Turn]:
    """Return the elements of an XML file that have both times; punctuation has none of its own."""
    found = [element for element in ElementTree.parse(path).iter(tag) if element.get("punc") != "true"]
    times = [(float(one.attrib[start]), float(one.attrib[end])) for one in found if one.get(start) and one.get(end)]
    return [Turn(first, last, speaker) for first, last in times if first < last]


def _by_recording(folder: Path, suffix: str) -> dict[str, list[tuple[str, Path]]]:
    """Return (speaker, path) of each `RECORDING.SPEAKER.suffix`, by recording."""
    found: dict[str, list[tuple[str, Path]]] = defaultdict(list)
    for path in sorted(folder.rglob(f"*.{suffix}")):
        recording, speaker = path.name.removesuffix(f".{suffix}").rsplit(".", 1)
        found[recording].append((speaker, path))
    return found


def _ami(folder: Path, files: Files) -> Iterator[Labelled]:
    """`words/MEETING.SPEAKER.words.xml`; speakers without words take `segments/MEETING.SPEAKER.segments.xml`."""
    words, segments = _by_recording(folder, "words.xml"), _by_recording(folder, "segments.xml")
    for meeting in sorted({*words, *segments}):
        turns = [turn for who, path in words[meeting] for turn in _timed(path, "w", "starttime", "endtime", who)]
        heard = {turn.speaker for turn in turns}
        for who, path in segments[meeting]:
            if who not in heard:
                turns += _timed(path, "segment", "transcriber_start", "transcriber_end", who)
        audio = [(kind, f"{meeting}.{kind}.wav") for kind in AMI_MICROPHONES]
        for kind, name in [one for one in audio if one[1] in files] or audio[:1]:
            yield Labelled(f"AMI, {kind}", meeting, (files.get(name, folder / name),), joined(turns))


def _notsofar(folder: Path, _files: Files) -> Iterator[Labelled]:
    """`MTG_*/gt_transcription.json`, and `ch0.wav` of every device with one channel (`sc_*`)."""
    for path in sorted(folder.rglob("gt_transcription.json")):
        turns: list[Turn] = []
        for segment in json.loads(path.read_text()):
            words = [(segment["text"], segment["start_time"], segment["end_time"])]
            words = [word for word in segment.get("word_timing") or words if not FILLER.fullmatch(word[0])]
            turns += [Turn(float(start), float(end), segment["speaker_id"]) for _, start, end in words]
        meeting = path.parent
        for audio in sorted(meeting.glob("sc_*/ch0.wav")) or [meeting / "sc" / "ch0.wav"]:
            yield Labelled("NOTSOFAR-1", f"{meeting.name}_{audio.parent.name}", (audio,), joined(turns))


def _primock(folder: Path, files: Files) -> Iterator[Labelled]:
    """`NAME_doctor.TextGrid` and `NAME_patient.TextGrid`, with a WAV file each."""
    for path in sorted(folder.rglob("*_doctor.TextGrid")):
        name = path.name.removesuffix("_doctor.TextGrid")
        turns: list[Turn] = []
        for role in PRIMOCK_ROLES:
            intervals = INTERVAL.findall(path.with_name(f"{name}_{role}.TextGrid").read_text())
            turns += [Turn(float(start), float(end), role) for start, end, text in intervals if text.strip()]
        audio = [f"{name}_{role}.wav" for role in PRIMOCK_ROLES]
        yield Labelled("PriMock57", name, tuple(files.get(one, folder / one) for one in audio), joined(turns))


def _map_task(folder: Path, files: Files) -> Iterator[Labelled]:
    """`NAME.g.timed-units.xml` and `NAME.f.timed-units.xml` with `NAME.mix.wav`. Silence and noise are no `tu`."""
    for name, speakers in _by_recording(folder, "timed-units.xml").items():
        turns = [turn for speaker, path in speakers for turn in _timed(path, "tu", "start", "end", speaker)]
        audio = f"{name}.mix.wav"
        yield Labelled("HCRC Map Task", name, (files.get(audio, folder / audio),), joined(turns))


def _rttm(folder: Path, files: Files) -> Iterator[Labelled]:
    """`NAME.rttm` with `NAME.wav` or `NAME.flac` anywhere: VoxConverse, and what others publish in this way."""
    for path in sorted(folder.rglob("*.rttm")):
        audio = files.get(f"{path.stem}.wav") or files.get(f"{path.stem}.flac") or path.with_suffix(".wav")
        turns = sorted(read_rttm(path), key=lambda turn: turn.start)
        yield Labelled(f"RTTM in {path.parent.name}", path.stem, (audio,), tuple(turns))
