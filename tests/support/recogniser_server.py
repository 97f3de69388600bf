"""Recognisers with the API of OpenAI: real HTTP servers on loopback, scripted or with a model behind them."""

from __future__ import annotations

import io
import json
import ssl
import threading
import time
import wave
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any, Self

from python_multipart import FormParser
from python_multipart.multipart import Field, File, parse_options_header

from tests.support.receivers import LoopbackServer

Answer = tuple[int, Any]
FRAMES = 100  # per second, of PocketSphinx


@dataclass(frozen=True, slots=True)
class Asked:
    """One request: headers in lower case, fields of the form, and the recording as a WAV file."""

    path: str
    headers: Mapping[str, str]
    fields: Mapping[str, str]
    recording: bytes

    @property
    def seconds(self) -> float:
        with wave.open(io.BytesIO(self.recording)) as sound:
            assert (sound.getnchannels(), sound.getframerate(), sound.getsampwidth()) == (1, 16_000, 2)
            return sound.getnframes() / sound.getframerate()


def words_answer(*words: tuple[str, float, float]) -> Answer:
    """Return what OpenAI's API answers for these words."""
    said = [{"word": text, "start": start, "end": end} for text, start, end in words]
    return 200, {"task": "transcribe", "text": " ".join(text for text, _, _ in words), "words": said}


@dataclass
class RecogniserServer(LoopbackServer):
    """Answers each request with `answer`; keeps the requests.

    Attributes:
        answer: returns a status, and a body as JSON or bytes.
        headers: of every answer.
        tls: of the server; None for plain HTTP.
    """

    answer: Callable[[Asked], Answer] = lambda _: words_answer(("Hello.", 0.1, 0.4))
    headers: Mapping[str, str] = field(default_factory=dict)
    tls: ssl.SSLContext | None = None
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        recogniser = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                one = _asked(self)
                recogniser.asked.append(one)
                status, body = recogniser.answer(one)
                content = body if isinstance(body, bytes) else json.dumps(body).encode()
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **recogniser.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Tests print what they need."""

        self.listen(Handler, "127.0.0.1", 0, self.tls)
        return self

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self._server.server_port}/v1"


def _asked(request: BaseHTTPRequestHandler) -> Asked:
    fields: dict[str, str] = {}
    files: dict[str, bytes] = {}

    def on_field(found: Field) -> None:
        fields[(found.field_name or b"").decode()] = (found.value or b"").decode()

    def on_file(found: File) -> None:
        found.file_object.seek(0)
        files[(found.field_name or b"").decode()] = found.file_object.read()

    kind, options = parse_options_header(request.headers["content-type"])
    parser = FormParser(kind.decode(), on_field, on_file, boundary=options[b"boundary"])
    parser.write(request.rfile.read(int(request.headers["content-length"])))
    parser.finalize()
    return Asked(request.path, {k.lower(): v for k, v in request.headers.items()}, fields, files["file"])


class PocketSphinx:
    """CMU PocketSphinx with its model of American English, which comes in its package. Words have no punctuation."""

    def __init__(self) -> None:
        from pocketsphinx import Decoder

        self._decoder = Decoder(samprate=16_000)
        self._one_at_a_time = threading.Lock()

    def __call__(self, asked: Asked) -> Answer:
        with wave.open(io.BytesIO(asked.recording)) as sound, self._one_at_a_time:
            self._decoder.start_utt()
            self._decoder.process_raw(sound.readframes(sound.getnframes()), full_utt=True)
            self._decoder.end_utt()
            found = [
                (one.word.partition("(")[0], one.start_frame / FRAMES, (one.end_frame + 1) / FRAMES)
                for one in self._decoder.seg() or ()
            ]
        return words_answer(*(word for word in found if word[0][0].isalpha()))  # the others are silence and noise


def main() -> None:
    """Serve PocketSphinx, to try `transcribe` by hand: `python -m tests.support.recogniser_server`."""
    with RecogniserServer(PocketSphinx()) as server:
        print(f"PARLEY_ASR_URL={server.url}", flush=True)
        while True:
            time.sleep(3600)


if __name__ == "__main__":
    main()
