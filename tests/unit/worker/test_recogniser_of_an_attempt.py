"""A job with `transcribe` has words if the recogniser gives them, and its turns whatever the recogniser does."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from structlog.testing import capture_logs

from parley_audio import SAMPLE_RATE, DecodedRecording
from parley_core.job import JobOptions, JobState
from parley_core.recording import checkpoint_folder, words_key
from parley_core.settings import Settings
from parley_core.transcript import Transcript, Transcription, Word
from parley_worker.attempt import transcription
from parley_worker.attempt.attempt import Outcome, run_attempt
from parley_worker.dependencies import Dependencies, recogniser_of
from parley_worker.transcription import network, recogniser
from parley_worker.transcription.pieces import pieces_of, wav_length, wav_of
from tests.support.attempts import AttemptFixture
from tests.support.certificates import make_certificate
from tests.support.recogniser_server import Answer, Asked, RecogniserServer, words_answer
from tests.support.waiting import HANG_SECONDS, until

SECRET_WORD = "Tuberculosis"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, seconds in {"PATIENCE_SECONDS": 0.5, "FIRST_PAUSE": 0.05, "LOOK_SECONDS": 0.01}.items():
        monkeypatch.setattr(transcription, name, seconds)
    monkeypatch.setattr(network, "LOOK_SECONDS", 0.01)


@pytest.fixture
def server() -> Iterator[RecogniserServer]:
    with RecogniserServer() as server:
        yield server


def noise(seconds: float) -> NDArray[np.float32]:
    return np.random.default_rng(1).normal(0, 0.1, int(seconds * SAMPLE_RATE)).astype(np.float32)


class TranscribingFixture(AttemptFixture):
    """A job with `transcribe`, and a worker with the recogniser of the settings."""

    def __init__(self, seconds: float = 1.0, **settings: object) -> None:
        super().__init__()
        given = Settings(lease_seconds=0.2, lease_renewal_seconds=0.01, **settings)  # type: ignore[arg-type]
        self.deps = replace(
            self.deps,
            settings=given,
            recogniser=lambda: recogniser_of(given),
            decode=lambda _: DecodedRecording(noise(seconds)),
        )
        self.job_id = self.submit(JobOptions(transcribe=True))

    def run(self, deps: Dependencies | None = None) -> Outcome:
        return run_attempt(self.job_id, deps or self.deps)

    def found(self) -> Transcription:
        job = self.job()
        assert (job.state, job.result is not None) == (JobState.SUCCEEDED, True)
        assert job.result is not None
        assert job.result.transcription is not None
        return job.result.transcription

    def words(self) -> tuple[Word, ...]:
        result = self.job().result
        assert result is not None
        return Transcript.from_json(self.recordings.read(words_key(result.key))).words


def test_the_recogniser_gets_the_recording_and_its_words_are_stored(server: RecogniserServer, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("s3cret\n")
    fixture = TranscribingFixture(
        asr_url=f"{server.url}/", asr_model="large", asr_language="fr", asr_token_file=tmp_path / "token"
    )
    assert fixture.run() is Outcome.SUCCEEDED
    [asked] = server.asked
    assert asked.path == "/v1/audio/transcriptions"
    assert asked.headers["authorization"] == "Bearer s3cret"
    assert asked.fields == {
        "model": "large",
        "response_format": "verbose_json",
        "timestamp_granularities[]": "word",
        "language": "fr",
    }
    assert asked.seconds == 1.0
    assert fixture.found() == Transcription(words=1, audio_seconds=1.0)
    assert fixture.words() == (Word("Hello.", 100, 400),)
    assert fixture.recordings.keys("checkpoints/") == []


def test_a_job_that_does_not_ask_for_words_sends_nothing(server: RecogniserServer) -> None:
    fixture = TranscribingFixture(asr_url=server.url)
    fixture.job_id = fixture.submit()
    assert fixture.run() is Outcome.SUCCEEDED
    result = fixture.job().result
    assert (server.asked, result and result.transcription) == ([], None)


def test_long_recordings_go_in_pieces_whose_words_keep_their_time(server: RecogniserServer) -> None:
    fixture = TranscribingFixture(25.0, asr_url=server.url, asr_piece_seconds=10)
    assert fixture.run() is Outcome.SUCCEEDED
    assert len(server.asked) >= 3
    assert max(asked.seconds for asked in server.asked) <= 10
    assert sum(asked.seconds for asked in server.asked) == pytest.approx(25)
    starts = np.cumsum([0.0, *(asked.seconds for asked in server.asked)])[:-1]
    assert [word.start for word in fixture.words()] == [round(start * 1000) + 100 for start in starts]


def test_a_recording_in_which_nobody_speaks_has_an_empty_transcript(server: RecogniserServer) -> None:
    server.answer = lambda _: (200, {"text": "", "segments": [], "words": []})
    fixture = TranscribingFixture(asr_url=server.url)
    fixture.run()
    assert fixture.found() == Transcription(words=0, audio_seconds=1.0)
    assert fixture.words() == ()


ANSWERS: dict[str, tuple[Answer, str]] = {
    "a wrong token": ((401, {"error": SECRET_WORD}), "recogniser_refused"),
    "a wrong path": ((404, b"<html>"), "recogniser_refused"),
    "a redirect": ((302, b""), "recogniser_refused"),
    "a broken server": ((500, {"error": SECRET_WORD}), "recogniser_unavailable"),
    "a busy server": ((429, {}), "recogniser_unavailable"),
    "text": ((200, SECRET_WORD.encode()), "unusable_transcription"),
    "deep JSON": ((200, b"[" * 100_000), "unusable_transcription"),
    "a list": ((200, [SECRET_WORD]), "unusable_transcription"),
    "text without times": ((200, {"text": SECRET_WORD}), "unusable_transcription"),
    "words without times": ((200, {"words": [{"word": SECRET_WORD}]}), "unusable_transcription"),
    "words that are none": ((200, {"words": [SECRET_WORD]}), "unusable_transcription"),
    "words backwards": (words_answer((SECRET_WORD, 0.9, 0.1)), "unusable_transcription"),
    "words after the end": (words_answer((SECRET_WORD, 99.0, 99.5)), "unusable_transcription"),
    "too much": ((200, b" " * 3000), "unusable_transcription"),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_the_recogniser_does_wrong_costs_the_words_alone(
    server: RecogniserServer, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription, "PATIENCE_SECONDS", 0.06)
    monkeypatch.setattr(recogniser, "MAX_ANSWER_BYTES", 2000 if case == "too much" else 10**6)
    answer, code = ANSWERS[case]
    server.answer = lambda _: answer
    server.headers = {"Location": "http://127.0.0.1:1/"} if case == "a redirect" else {}
    fixture = TranscribingFixture(asr_url=server.url)
    with capture_logs() as logs:
        assert fixture.run() is Outcome.SUCCEEDED
    found = fixture.found()
    assert (found.error_code, found.words, found.audio_seconds) == (code, 0, 0.0)
    assert found.error_detail
    assert SECRET_WORD not in str(logs) + found.error_detail
    assert len(fixture.job().attempts) == 1
    assert not [key for key in fixture.recordings.objects if key.endswith(".words")]


def test_a_recogniser_that_cannot_be_reached_costs_the_words_alone(server: RecogniserServer) -> None:
    fixture = TranscribingFixture(asr_url="http://127.0.0.1:9/v1")
    assert fixture.run() is Outcome.SUCCEEDED
    assert fixture.found().error_code == "recogniser_unavailable"
    without = TranscribingFixture()  # the API has a recogniser, this worker has none
    assert without.run() is Outcome.SUCCEEDED
    assert without.found().error_code == "recogniser_unavailable"


def test_a_recogniser_that_is_busy_is_asked_again(server: RecogniserServer) -> None:
    answers: list[Answer] = [(503, {}), (429, {})]
    server.answer = lambda _: answers.pop(0) if answers else words_answer(("Hello.", 0.1, 0.4))
    fixture = TranscribingFixture(asr_url=server.url)
    fixture.run()
    assert (len(server.asked), fixture.found().words) == (3, 1)


@pytest.mark.parametrize("name", ["Retry-After", "retry-after"])
def test_a_recogniser_that_wants_a_longer_pause_than_there_is_is_not_asked_again(
    server: RecogniserServer, name: str
) -> None:
    server.answer, server.headers = lambda _: (429, {}), {name: "60"}
    fixture = TranscribingFixture(asr_url=server.url)
    fixture.run()
    assert (len(server.asked), fixture.found().error_code) == (1, "recogniser_unavailable")


def test_a_compressed_answer_is_named_as_what_it_is(server: RecogniserServer) -> None:
    server.headers = {"Content-Encoding": "gzip"}
    fixture = TranscribingFixture(asr_url=server.url)
    fixture.run()
    assert "compressed" in fixture.found().error_detail


class Gate:
    """A recogniser that holds its answers back until the test lets them go."""

    def __init__(self, answers: int = 0) -> None:
        self.open = threading.Event()
        self.held = threading.Event()
        self._free = answers

    def __call__(self, _: Asked) -> Answer:
        if self._free:
            self._free -= 1
        else:
            self.held.set()
            self.open.wait(HANG_SECONDS)
        return words_answer(("Hello.", 0.1, 0.4))


def while_held(gate: Gate, step: Callable[[], object]) -> threading.Thread:
    """Take a step once the recogniser holds an answer back."""

    def wait() -> None:
        gate.held.wait(HANG_SECONDS)
        step()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    return thread


def test_a_recogniser_that_takes_too_long_costs_the_words_alone(
    server: RecogniserServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transcription, "LEAST_SECONDS", 0.3)
    server.answer = gate = Gate()
    fixture = TranscribingFixture(asr_url=server.url)
    assert fixture.run() is Outcome.SUCCEEDED
    gate.open.set()
    assert fixture.found().error_code == "transcription_timed_out"


def test_a_cancel_ends_the_wait_and_leaves_nothing(server: RecogniserServer) -> None:
    server.answer = gate = Gate(answers=1)
    fixture = TranscribingFixture(25.0, asr_url=server.url, asr_piece_seconds=10)
    while_held(gate, lambda: fixture.store.cancel(fixture.job_id))
    assert fixture.run() is Outcome.ENDED
    assert not gate.open.is_set()
    gate.open.set()
    until(lambda: not fixture.recordings.keys("checkpoints/"), what="the words of a piece stayed")
    assert fixture.recordings.keys("results/") == []


def test_a_stopped_worker_gives_the_job_back_and_the_next_one_goes_on_after_its_pieces(
    server: RecogniserServer,
) -> None:
    server.answer = gate = Gate(answers=1)
    fixture = TranscribingFixture(25.0, asr_url=server.url, asr_piece_seconds=10)
    stop = threading.Event()
    while_held(gate, stop.set)
    assert fixture.run(replace(fixture.deps, stopping=stop.is_set)) is Outcome.GIVEN_BACK
    gate.open.set()
    assert len(fixture.recordings.keys(f"{checkpoint_folder(fixture.job_id)}/")) == 1
    before = len(server.asked)
    assert fixture.run() is Outcome.SUCCEEDED
    first = server.asked[0].seconds
    assert sum(asked.seconds for asked in server.asked[before:]) == pytest.approx(25 - first)
    assert fixture.found() == Transcription(words=len(fixture.words()), audio_seconds=25.0)
    assert len(fixture.words()) == len(server.asked) - 1  # the piece that was held back was asked for twice


def test_pieces_of_another_recogniser_are_not_used(server: RecogniserServer) -> None:
    server.answer = gate = Gate(answers=1)
    fixture = TranscribingFixture(25.0, asr_url=server.url, asr_piece_seconds=10)
    stop = threading.Event()
    while_held(gate, stop.set)
    fixture.run(replace(fixture.deps, stopping=stop.is_set))
    gate.open.set()
    before = len(server.asked)
    fixture.run(replace(fixture.deps, settings=fixture.deps.settings.model_copy(update={"asr_model": "other"})))
    assert sum(asked.seconds for asked in server.asked[before:]) == pytest.approx(25)


def test_the_recognisers_certificate_must_be_signed_by_the_given_authority(tmp_path: Path) -> None:
    certificate = make_certificate(tmp_path, days=1)
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    with RecogniserServer(tls=tls) as server:
        trusting = TranscribingFixture(asr_url=server.url, asr_ca_file=certificate)
        trusting.run()
        assert trusting.found().words == 1
        careful = TranscribingFixture(asr_url=server.url)
        careful.run()
    found = careful.found()
    assert (found.error_code, len(server.asked)) == ("recogniser_unavailable", 1)
    assert "PARLEY_ASR_CA_FILE" in (found.error_detail or "")


def test_pieces_cover_the_recording_and_are_cut_where_it_is_quiet() -> None:
    waveform = noise(95.0)
    quiet = [(25.2, 25.6), (50.0, 50.4), (74.7, 75.2)]
    for start, end in quiet:
        waveform[int(start * SAMPLE_RATE) : int(end * SAMPLE_RATE)] *= 0.001
    pieces = pieces_of(waveform, 30.0)
    assert [first for first, _ in pieces[1:]] == [end for _, end in pieces[:-1]]
    assert (pieces[0][0], pieces[-1][1]) == (0, len(waveform))
    cuts = [end / SAMPLE_RATE for _, end in pieces[:-1]]
    assert all(start < cut < end for cut, (start, end) in zip(cuts, quiet, strict=True))
    assert pieces_of(np.zeros(0, np.float32), 30.0) == [(0, 0)]


def test_a_piece_is_as_long_as_it_says() -> None:
    samples = noise(5.0)
    samples[0] = 7.0  # louder than full scale
    assert len(b"".join(wav_of(samples))) == wav_length(len(samples))
