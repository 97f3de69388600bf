"""A correct client of the HTTP API: one key per request, retries, and a ledger of every 202."""

from __future__ import annotations

import io
import random
import threading
import time
from collections import Counter
from collections.abc import Sequence
from functools import cache
from uuid import uuid4

import httpx
import numpy as np
import soundfile

from chaos.engines import RATE
from chaos.ledger import Entry, Ledger
from chaos.system import ROOT

SUBMITTERS = 4
GIVE_UP_SECONDS = 240.0  # limit of one request over all retries
LONGEST_PAUSE = 1.0  # limit of Retry-After: an impatient client is the harder test
ANSWER_SECONDS = 30.0
REPEAT_SHARE = 0.1  # share of requests repeated after their 202, as if the answer had been lost
TEMPORARY = frozenset({409, 429, 500, 502, 503, 504})
SAMPLE = ROOT / "services/client/parley/sample/conversation.flac"


def recording_of(seconds: int, rate: int = RATE) -> bytes:
    """Return a WAV of quiet noise of exactly this length."""
    noise = np.random.default_rng(seconds).normal(0, 0.01, seconds * rate).astype(np.float32)
    buffer = io.BytesIO()
    soundfile.write(buffer, noise, rate, format="WAV", subtype="PCM_16")
    return buffer.getvalue()


@cache
def conversation(seconds: int) -> bytes:
    """Return a FLAC of the sample conversation, repeated up to this length."""
    samples, rate = soundfile.read(SAMPLE, dtype="int16")
    buffer = io.BytesIO()
    soundfile.write(buffer, np.resize(samples, seconds * rate), rate, format="FLAC", subtype="PCM_16")
    return buffer.getvalue()


class Caller:
    """Submits to random addresses of the API. The key of a request is also its reference."""

    def __init__(self, urls: Sequence[str], ledger: Ledger, rng: random.Random, callback_url: str) -> None:
        self._urls, self._ledger, self._rng, self._callback_url = list(urls), ledger, rng, callback_url
        self._http = httpx.Client(timeout=ANSWER_SECONDS)
        self.answers: Counter[int] = Counter()
        self.gave_up: list[str] = []

    def submit(self, recording: bytes, media_type: str = "audio/wav") -> None:
        """Submit one recording until it is accepted, or add its key to `gave_up`."""
        key, deadline = str(uuid4()), time.monotonic() + GIVE_UP_SECONDS
        while time.monotonic() < deadline:
            pause = self._try(key, recording, media_type)
            if pause is None:
                if self._rng.random() < REPEAT_SHARE:
                    self._try(key, recording, media_type)
                return
            time.sleep(pause)
        self.gave_up.append(key)

    def _try(self, key: str, recording: bytes, media_type: str) -> float | None:
        """Send the request once. Return None if it was accepted, else the seconds before the next try."""
        try:
            answer = self._http.post(
                f"{self._rng.choice(self._urls)}/v1/jobs",
                content=recording,
                headers={"Content-Type": media_type, "Idempotency-Key": key},
                params={"reference": key, "callback_url": self._callback_url},
            )
        except httpx.TransportError:
            self.answers[0] += 1
            return 0.1
        self.answers[answer.status_code] += 1
        if answer.status_code == 202:
            self._ledger.write(Entry(key, str(answer.json()["id"]), time.time()))
            return None
        if answer.status_code in TEMPORARY:
            return min(LONGEST_PAUSE, float(answer.headers.get("Retry-After", 0.2)))
        raise AssertionError(f"permanent refusal: {answer.status_code} {answer.text}")

    def close(self) -> None:
        self._http.close()


class Load:
    """Clients in threads that submit at a steady rate until `finish`."""

    def __init__(self, urls: Sequence[str], ledger: Ledger, rng: random.Random, rate: float, callback_url: str) -> None:
        self.ledger, self._rate = ledger, rate
        self._callers = [Caller(urls, ledger, random.Random(rng.random()), callback_url) for _ in range(SUBMITTERS)]
        self._threads: list[threading.Thread] = []
        self._lock, self._next_at, self._sent, self._wanted = threading.Lock(), 0.0, 0, 0.0
        self.errors: list[BaseException] = []

    def start(self, recording: bytes, media_type: str = "audio/wav") -> None:
        """Start to submit."""
        self._wanted, self._next_at = float("inf"), time.monotonic()
        self._threads = [
            threading.Thread(target=self._run, args=(caller, recording, media_type), daemon=True)
            for caller in self._callers
        ]
        for thread in self._threads:
            thread.start()

    def _run(self, caller: Caller, recording: bytes, media_type: str) -> None:
        try:
            while self._turn():
                caller.submit(recording, media_type)
        except Exception as error:  # noqa: BLE001  # `finish` raises it
            self.errors.append(error)

    def _turn(self) -> bool:
        """Wait for the next slot. Return False if enough requests were sent."""
        with self._lock:
            if self._sent >= self._wanted:
                return False
            self._sent += 1
            self._next_at = max(time.monotonic(), self._next_at + 1 / self._rate)
            due = self._next_at
        time.sleep(max(0.0, due - time.monotonic()))
        return True

    def finish(self, at_least: int) -> None:
        """Stop after at least this number of requests and wait for their answers. Raises the error of a client."""
        self._wanted = float(at_least)
        for thread in self._threads:
            thread.join()
        for caller in self._callers:
            caller.close()
        if self.errors:
            raise self.errors[0]

    @property
    def answers(self) -> Counter[int]:
        """Number of HTTP answers by status, 0 for a broken connection."""
        return sum((caller.answers for caller in self._callers), Counter())

    @property
    def gave_up(self) -> int:
        return sum(len(caller.gave_up) for caller in self._callers)
