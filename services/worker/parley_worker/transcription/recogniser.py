"""A recogniser with the API of OpenAI: one request per piece of a recording, bounded in time and in bytes."""

from __future__ import annotations

import secrets
import ssl
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Self

import httpcore
import numpy as np
from numpy.typing import NDArray

from parley_audio import SAMPLE_RATE
from parley_core.errors import RecogniserRefused, RecogniserUnavailable, UnusableTranscription
from parley_core.secret_files import secret_of
from parley_core.settings import Settings
from parley_core.transcript import Word
from parley_worker.transcription.answer import words_of
from parley_worker.transcription.network import StoppableNetwork
from parley_worker.transcription.pieces import wav_length, wav_of

MAX_ANSWER_BYTES = 32 * 1024 * 1024  # 40,000 words take 10 MB where a recogniser says most about each
OK = 200
LATER = frozenset({408, 425, 429})  # and 500 to 599
LONGEST_PAUSE = 60.0  # seconds that a recogniser may ask for
CHECK_SECONDS = 60.0


class RecogniserBusy(RecogniserUnavailable):
    """The recogniser answers that it can do this later; `seconds` is what it asks for, 0 if it does not say."""

    def __init__(self, detail: str, seconds: float) -> None:
        super().__init__(detail)
        self.seconds = seconds


@dataclass(frozen=True, slots=True)
class Recogniser:
    """See the settings PARLEY_ASR_*.

    Attributes:
        url: base URL, without a slash at the end.
        language: empty, and the recogniser finds out.
    """

    url: str
    model: str
    language: str = ""
    token_file: Path | None = None
    ca_file: Path | None = None

    @classmethod
    def from_settings(cls, settings: Settings) -> Self | None:
        """Return the recogniser of the deployment, None without one."""
        if not settings.asr_url:
            return None
        url = settings.asr_url.rstrip("/")
        return cls(url, settings.asr_model, settings.asr_language, settings.asr_token_file, settings.asr_ca_file)

    def transcribe(self, samples: NDArray[np.float32], deadline: float, stopped: Event) -> tuple[Word, ...]:
        """Return the words of a piece of a recording; their times are from its beginning.

        Args:
            samples: shape (samples,), mono, 16 kHz, -1 to 1.
            deadline: monotonic time.
            stopped: ends the call within a second.

        Raises:
            RecogniserUnavailable: it does not answer, or cannot do this now.
            RecogniserRefused: it does not take this request.
            UnusableTranscription: its answer makes no transcript.
            TranscriptionTimedOut: the deadline has passed.
            Stopped: `stopped` was set.
        """
        boundary = secrets.token_hex(16)
        head, tail = self._form(boundary)
        length = len(head) + wav_length(len(samples)) + len(tail)

        def body() -> Iterator[bytes]:
            yield head
            yield from wav_of(samples)
            yield tail

        headers: dict[bytes | str, bytes | str] = {
            "Content-Type": f"multipart/form-data; boundary={boundary}",
            "Content-Length": str(length),
            "Accept": "application/json",
            "Accept-Encoding": "identity",
            "User-Agent": "parley-worker",
            **self._authorization(),
        }
        network = StoppableNetwork(deadline, stopped)
        try:
            with (
                httpcore.ConnectionPool(self._trust(), network_backend=network) as pool,
                pool.stream("POST", f"{self.url}/audio/transcriptions", headers=headers, content=body()) as response,
            ):
                _require_ok(response)
                answer = _bounded(response)
        except (httpcore.NetworkError, httpcore.TimeoutException, httpcore.ProtocolError) as error:
            raise RecogniserUnavailable(_reason(error)) from None
        return words_of(answer, len(samples) / SAMPLE_RATE)

    def check(self) -> None:
        """Have a second of silence transcribed. Raises what `transcribe` raises."""
        self.transcribe(np.zeros(SAMPLE_RATE, np.float32), time.monotonic() + CHECK_SECONDS, Event())

    def _form(self, boundary: str) -> tuple[bytes, bytes]:
        """Return what comes before and after the recording in the form."""
        fields = {"model": self.model, "response_format": "verbose_json", "timestamp_granularities[]": "word"}
        if self.language:
            fields["language"] = self.language
        parts = [
            f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in fields.items()
        ]
        file = 'Content-Disposition: form-data; name="file"; filename="recording.wav"\r\nContent-Type: audio/wav'
        return f"{''.join(parts)}--{boundary}\r\n{file}\r\n\r\n".encode(), f"\r\n--{boundary}--\r\n".encode()

    def _authorization(self) -> dict[bytes | str, bytes | str]:
        if self.token_file is None:
            return {}
        try:
            return {"Authorization": f"Bearer {secret_of(self.token_file, 'PARLEY_ASR_TOKEN_FILE')}"}
        except ValueError as error:
            raise RecogniserUnavailable(f"{error}.") from None

    def _trust(self) -> ssl.SSLContext | None:
        if not self.url.startswith("https:"):
            return None
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except OSError:
            raise RecogniserUnavailable("PARLEY_ASR_CA_FILE cannot be read, or holds no certificate.") from None


def _require_ok(response: httpcore.Response) -> None:
    if response.status == OK:
        return
    detail = f"The recogniser answered with the status {response.status}."
    if response.status not in LATER and response.status < 500:
        raise RecogniserRefused(detail)
    asked = _headers(response).get(b"retry-after", b"0")
    raise RecogniserBusy(detail, min(LONGEST_PAUSE, float(asked)) if asked.isdigit() else 0.0)


def _headers(response: httpcore.Response) -> dict[bytes, bytes]:
    """Return the headers with names in lower case: httpcore keeps the letters that the server has sent."""
    return {name.lower(): value for name, value in response.headers}


def _bounded(response: httpcore.Response) -> bytes:
    if _headers(response).get(b"content-encoding", b"identity").lower() != b"identity":
        raise UnusableTranscription("The recogniser's answer is compressed, which Parley did not ask for.")
    answer = bytearray()
    for chunk in response.iter_stream():
        answer += chunk
        if len(answer) > MAX_ANSWER_BYTES:
            raise UnusableTranscription(f"The recogniser's answer is longer than {MAX_ANSWER_BYTES} bytes.")
    return bytes(answer)


def _reason(error: BaseException) -> str:
    """Return what is wrong with a connection, in a sentence without the library's words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "The recogniser's certificate is not trusted (PARLEY_ASR_CA_FILE), or is another host's."
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout):
        return "The recogniser cannot be reached."
    return "The connection to the recogniser broke before its answer."
