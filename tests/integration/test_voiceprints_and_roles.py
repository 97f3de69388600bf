"""Names and roles from the real engine, through API, worker, Valkey and command: the sample that ships with Parley."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray
from typer.testing import CliRunner, Result

import parley as client_package
from parley import Consent, Parley, ParleyApiError, Turns
from parley.cli.app import app
from parley_core.settings import Settings
from tests.support.api_process import ApiProcess
from tests.support.valkey import Valkey
from tests.support.worker import ParleyProcess

CONSENT = ("--purpose", "Names in notes", "--consent-for", "365d")
SAMPLE = Path(client_package.__file__).parent / "sample" / "conversation.flac"
RATE = 16_000
JO, KIM = (1.2, 9.3), (23.4, 38.3)  # seconds of the sample in which one person speaks, and then another
KIM_AT_FIRST, KIM_LATER = (23.4, 31.0), (31.0, 46.0)
CROSS_TALK = 10 ** (-12 / 20)

Sound = NDArray[np.float32]


class ApiFixture:
    """An API, a worker with the real engine, and the command."""

    def __init__(self, api: ApiProcess, parley: Parley, settings: Settings) -> None:
        self.api, self.parley, self.settings = api, parley, settings

    def command(self, *arguments: object) -> Result:
        variables = {"PARLEY_URL": self.api.url, "PARLEY_API_KEY": ""}
        return CliRunner().invoke(app, [str(argument) for argument in arguments], env=variables)

    def turns(self, recording: Path, speaker_embeddings: bool = False, channels: list[str] | None = None) -> Turns:
        """Submit, wait and return the turns."""
        job = self.parley.submit(recording, speaker_embeddings=speaker_embeddings, channels=channels)
        ended = self.parley.wait(job.id, timeout=100)
        assert ended.succeeded, ended
        return self.parley.turns(job.id)


@pytest.fixture(scope="module")
def fixture(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiFixture]:
    folder = tmp_path_factory.mktemp("fixture")
    with ExitStack() as parts:
        valkey = Valkey(folder / "valkey")
        valkey.start()
        parts.callback(valkey.stop)
        settings = Settings(redis_url=valkey.url, objects_url=f"file://{folder}/objects")
        api = parts.enter_context(ApiProcess(settings, folder / "api.log"))
        worker = ParleyProcess("parley_worker", settings, folder, PARLEY_CONCURRENCY=1)
        parts.callback(worker.stop)
        yield ApiFixture(api, parts.enter_context(Parley(api.url)), settings)


def cut(span: tuple[float, float]) -> Sound:
    start, end = (int(second * RATE) for second in span)
    return np.asarray(soundfile.read(SAMPLE, dtype="float32", start=start, stop=end)[0])


def written(folder: Path, sound: Sound) -> Path:
    path = folder / "recording.flac"
    soundfile.write(path, sound, RATE)
    return path


def role_at(turns: Turns, second: float) -> str | None:
    (speaker,) = {turn.speaker for turn in turns.exclusive_turns if turn.start <= second < turn.end}
    (role,) = [person.role for person in turns.identities if person.speaker == speaker]
    return role


@pytest.mark.parametrize("leak", [0.0, CROSS_TALK], ids=["apart", "cross-talk at -12 dB"])
@pytest.mark.parametrize("right_is_turned_down", [False, True])
def test_two_microphones_tell_clinician_and_patient(
    fixture: ApiFixture, tmp_path: Path, leak: float, right_is_turned_down: bool
) -> None:
    jo, kim = cut(JO), cut(KIM)
    left, right = np.concatenate([jo, leak * kim]), np.concatenate([leak * jo, kim])
    gain = 0.2 if right_is_turned_down else 1.0
    turns = fixture.turns(written(tmp_path, np.stack([left, gain * right], axis=1)), channels=["clinician", "patient"])
    assert (role_at(turns, 4.0), role_at(turns, 15.0)) == ("clinician", "patient")
    assert all(person.name is None for person in turns.identities)


def test_channels_of_a_mono_recording_are_refused_at_the_submit(fixture: ApiFixture) -> None:
    with pytest.raises(ParleyApiError, match="2 channels, and the recording has 1") as refusal:
        fixture.parley.submit(SAMPLE, channels=["clinician", "patient"])
    assert (refusal.value.status, refusal.value.code) == (422, "invalid_option")


@pytest.fixture(scope="module")
def kim(fixture: ApiFixture, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The id of a voice, enrolled with the command from the first half of what Kim says."""
    recording = written(tmp_path_factory.mktemp("kim"), cut(KIM_AT_FIRST))
    enrolled = fixture.command("enrol", "Kim", recording, *CONSENT, "--role", "clinician", "--json")
    assert enrolled.exit_code == 0, enrolled.stderr
    voice = json.loads(enrolled.stdout)
    assert (voice["name"], voice["role"]) == ("Kim", "clinician")
    yield voice["id"]
    assert fixture.command("voiceprints", "delete", "Kim", "--yes").exit_code == 0


def test_an_enrolled_voice_is_named_where_it_speaks_and_nobody_else_is(
    fixture: ApiFixture, kim: str, tmp_path: Path
) -> None:
    turns = fixture.turns(written(tmp_path, cut(KIM_LATER)), speaker_embeddings=True)
    (found,) = [person for person in turns.identities if person.name]
    assert (found.name, found.voiceprint_id, found.role) == ("Kim", kim, "clinician")
    assert found.similarity is not None
    assert found.similarity >= fixture.settings.speaker_identification_threshold
    heard = {turn.speaker for turn in turns.exclusive_turns if turn.start < KIM[1] - KIM_LATER[0] - 1}
    assert heard == {found.speaker}
    shown = fixture.command("turns", turns.job_id).stdout
    assert f"{found.speaker} (Kim, clinician)" in shown
    assert "Kim" not in fixture.parley.export(turns.job_id, "rttm")
    assert "Kim" in fixture.parley.export(turns.job_id, "srt")
    assert "Kim" not in fixture.parley.export(turns.job_id, "srt", speakers="labels")


def test_vectors_are_stored_with_the_result_and_only_where_asked(fixture: ApiFixture, kim: str, tmp_path: Path) -> None:
    asked = fixture.turns(written(tmp_path, cut(KIM_LATER)), speaker_embeddings=True)
    vectors = fixture.parley.turns(asked.job_id, embeddings=True).document["speaker_embeddings"]
    assert set(vectors) == set(asked.speakers)
    assert all(np.linalg.norm(vector) == pytest.approx(1, abs=1e-3) for vector in vectors.values())
    plain = fixture.turns(written(tmp_path, cut(KIM_LATER)))
    assert plain.identities == ()
    with pytest.raises(ParleyApiError, match="speaker_embeddings=true"):
        fixture.parley.turns(plain.job_id, embeddings=True)


def test_a_deleted_voice_is_gone_from_every_answer_at_once(fixture: ApiFixture, kim: str, tmp_path: Path) -> None:
    turns = fixture.turns(written(tmp_path, cut(KIM_LATER)), speaker_embeddings=True)
    (label,) = [person.speaker for person in turns.identities if person.voiceprint_id == kim]
    now = datetime.now(UTC)
    consent = Consent("Kim", "Names in notes", now + timedelta(days=1), now)
    second = fixture.parley.enrol("Kim at the second visit", turns.job_id, label, consent=consent)
    assert {person.voiceprint_id for person in fixture.parley.turns(turns.job_id).identities} == {second.id, None}
    assert fixture.command("voiceprints", "delete", second.id, "--yes").exit_code == 0
    assert {person.voiceprint_id for person in fixture.parley.turns(turns.job_id).identities} == {kim, None}
