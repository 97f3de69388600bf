"""Runs one function on one hostile file in a process of its own, under limits.

A process that calls in here owns one warm fork server (fork_server.py); threads may call at once. A fork of the owner
starts a fork server of its own at its first call. Nothing stays behind when the owner dies, by whatever signal: the
fork server sees the end of its control socket (and of the owner's pid), and the kernel kills what it had forked.

PR_SET_PDEATHSIG is not used between owner and fork server on purpose: the kernel sends it when the *thread* that
started the process ends, and thread pools end theirs all the time (prctl(2)).
"""

from __future__ import annotations

import atexit
import fcntl
import logging
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any

from parley_audio.limits import DecodeLimits
from parley_audio.sandbox.protocol import messages, send_request
from parley_core.errors import (
    DecodingInterrupted,
    EmptyRecording,
    NotAudio,
    RecordingTooLong,
    UnreadableRecording,
)
from parley_core.process import ARITHMETIC_THREADS

FORK_SERVER = "parley_audio.sandbox.fork_server"
FLAGS = ("-P", "-B")  # -B: a bytecode file that a confined process writes would be cut off at its limit
PROBING = (
    "parley_audio.reading.measure",
    "av.subtitles.stream",  # PyAV imports it when it opens a file, and then files are out of reach
)
PRELOADED = (*PROBING, "parley_audio.reading.render", "parley_audio.reading.loudness")
CONCURRENT = 2 * (os.cpu_count() or 1)  # more would only share the processors and add up their memory
STOP_SECONDS = 5.0  # the fork server needs milliseconds to end

CRASHED = "The decoder crashed on this recording. Convert it to WAV or FLAC and send that."
ERRORS = {error.code: error for error in (EmptyRecording, NotAudio, RecordingTooLong, UnreadableRecording)}
PASSED_ON = (  # of the environment
    *("PATH", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SYSTEMROOT", "TMPDIR"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR"),  # authorities of a hospital
)
CRASHES = {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGSYS}


logger = logging.getLogger(__name__)


class ForkServerLostError(Exception):
    """The fork server is gone; internal to this module."""


@dataclass(slots=True)
class Outcome:
    """What came back from one call: the function's own reply, and how its process ended (None: nobody knows)."""

    reply: dict[str, Any] = field(default_factory=dict)
    exit_code: int | None = None


class ForkServerProcess:
    """The owner's end of one fork server process."""

    def __init__(self, preloaded: Sequence[str]) -> None:
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, *FLAGS, "-m", FORK_SERVER, str(os.getpid()), str(theirs.fileno()), *preloaded],
                env=_clean_environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                start_new_session=True,  # Ctrl-C and group signals are the owner's business
            )

    @property
    def pid(self) -> int:
        return self._process.pid

    def open_call(self) -> socket.socket:
        """Have a process forked and return the socket to it. Raises ForkServerLostError."""
        ours, theirs = socket.socketpair()
        try:
            with theirs:
                socket.send_fds(self._control, [b"\x01"], [theirs.fileno()])
        except OSError as error:
            ours.close()
            raise ForkServerLostError from error
        return ours

    def stop(self) -> None:
        """End the fork server and everything it forked, and bury it."""
        self._control.close()
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def forget(self) -> None:
        """In a fork of the owner: let go of a fork_server that belongs to another process."""
        self._control.close()
        self._process.returncode = 0  # not ours to wait for


class Sandbox:
    """Runs functions in confined processes; one per owner process, safe to call from many threads."""

    def __init__(self, preloaded: Sequence[str] = PRELOADED, concurrent: int = CONCURRENT) -> None:
        self._preloaded = tuple(preloaded)
        self._concurrent = concurrent
        self._server: ForkServerProcess | None = None
        self._reset()
        os.register_at_fork(after_in_child=self._after_fork)

    def _reset(self) -> None:
        self._lock = threading.Lock()
        self._places = threading.BoundedSemaphore(self._concurrent)

    def _after_fork(self) -> None:
        self._reset()
        if self._server is not None:
            self._server.forget()
            self._server = None

    def warm(self, preloaded: Sequence[str] | None = None) -> int:
        """Start the fork server now rather than at the first call; return its process id.

        Args:
            preloaded: modules that it imports instead of all. Less memory makes each fork cheaper. A call that needs
                another module imports it in its own process.
        """
        if preloaded is not None:
            self._preloaded = tuple(preloaded)
        return self._running_server().pid

    def close(self) -> None:
        """End the fork server and every call under way. A later call starts a new one."""
        with self._lock:
            server, self._server = self._server, None
        if server is not None:
            server.stop()

    def run(
        self,
        function: str,
        arguments: dict[str, Any],
        limits: DecodeLimits,
        source: int,
        sink: int,
        output_bytes: int,
        streams: bool = False,
    ) -> dict[str, Any]:
        """Return what `function(source, sink, **arguments)` returned in a process of its own.

        Args:
            function: `module:function`; it takes two descriptors and plain data, and returns plain data.
            arguments: plain data (JSON).
            source: descriptor of the recording, opened for this call alone: its offset is shared.
            sink: descriptor that the function may write.
            output_bytes: most that it may write there, if it is a file.
            streams: `source` and `sink` are connections or pipes instead of files.

        Raises:
            RecordingError: what the function raised; UnreadableRecording for a limit and for a crash of the decoder.
            DecodingInterrupted: the process was killed from outside, or was out of time on the clock.
        """
        request = {
            "function": function,
            "arguments": arguments,
            "cpu_seconds": limits.cpu_seconds,
            "memory_bytes": limits.memory_bytes,
            "output_bytes": output_bytes,
            "streams": streams,
        }
        with self._places:
            return _judge(self._call(request, (source, sink), limits.wall_seconds), limits)

    def _call(self, request: dict[str, Any], descriptors: tuple[int, int], wall_seconds: float) -> Outcome:
        """Ask the fork server, and a fresh one when the first is lost, unless a stream may have been read by then."""
        for _ in range(2):
            server, begun = self._running_server(), False
            try:
                with closing(server.open_call()) as call:
                    begun = True
                    return _converse(call, request, descriptors, wall_seconds)
            except ForkServerLostError:
                self._discard(server)
                if begun and request["streams"]:
                    break
        raise DecodingInterrupted("The decoding service of this process was killed in a call. Try again.")

    def _running_server(self) -> ForkServerProcess:
        with self._lock:
            if self._server is None:
                self._server = ForkServerProcess(self._preloaded)
            return self._server

    def _discard(self, server: ForkServerProcess) -> None:
        """Put a lost server away, once, whichever thread notices first."""
        with self._lock:
            if self._server is server:
                self._server = None
                server.stop()


def _clean_environment() -> dict[str, str]:
    """What a decoder needs and nothing else: no key, no password, no address."""
    kept = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    one_thread = dict.fromkeys(ARITHMETIC_THREADS, "1")
    return kept | one_thread | {"PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}


def _converse(
    call: socket.socket, request: dict[str, Any], descriptors: tuple[int, int], wall_seconds: float
) -> Outcome:
    """Send the request, collect the reply and how the process ended.

    Raises ForkServerLostError or DecodingInterrupted.
    """
    outcome = Outcome()
    with _deadline(call, wall_seconds):
        send_request(call, request, *descriptors)
        for message in messages(call):
            if "exit_code" in message:
                outcome.exit_code = message["exit_code"]
                return outcome
            outcome.reply = message
    raise ForkServerLostError  # it always has the last word


@contextmanager
def _deadline(call: socket.socket, wall_seconds: float) -> Iterator[None]:
    """Translate socket errors. The caller then closes the socket, and the fork server kills the process."""
    call.settimeout(wall_seconds)  # per message, of which there are two: the reply and its end
    try:
        yield
    except TimeoutError:
        raise DecodingInterrupted(
            f"Decoding was not done after {wall_seconds:.0f} s: this machine is too busy, or stood still. Try again."
        ) from None
    except OSError as error:
        raise ForkServerLostError from error
    except ValueError as error:
        raise UnreadableRecording("The decoder answered with nonsense: the recording is damaged.") from error


def _judge(outcome: Outcome, limits: DecodeLimits) -> dict[str, Any]:
    """Return the result, or raise what the end of the process means for the recording."""
    if "result" in outcome.reply:
        result: dict[str, Any] = outcome.reply["result"]
        return result
    if outcome.reply:
        raise _reported(outcome.reply, limits)
    if outcome.exit_code == -signal.SIGXCPU:
        raise UnreadableRecording(
            f"Decoding took more than {limits.cpu_seconds:.0f} s of processor time, the limit here. "
            "Convert the recording to WAV or FLAC, or cut it into parts."
        )
    if outcome.exit_code == -signal.SIGPROF:
        raise UnreadableRecording(
            "The decoder stopped making progress: the recording has too many parts or tags. "
            "Convert it to FLAC or WAV and send that."
        )
    if outcome.exit_code is not None and (outcome.exit_code > 0 or -outcome.exit_code in CRASHES):
        raise UnreadableRecording(CRASHED)
    raise DecodingInterrupted(f"The decoding process was killed from outside (exit {outcome.exit_code}). Try again.")


def _reported(reply: dict[str, Any], limits: DecodeLimits) -> Exception:
    """Return the error that a reply reports."""
    if reply["error"] == "memory":
        return UnreadableRecording(
            f"Decoding took more than {limits.memory_bytes // 1024**2} MiB of memory, the limit here. "
            "Convert the recording to WAV or FLAC and send that."
        )
    if reply["error"] == "crash":
        logger.warning("The decoder crashed: %s", reply["detail"])
        return UnreadableRecording(CRASHED)
    return ERRORS.get(reply["error"], UnreadableRecording)(str(reply["detail"]))


@contextmanager
def anonymous_file() -> Iterator[int]:
    """Give the descriptor of a file without a name, in memory on Linux: nothing to clean up, whoever dies."""
    if sys.platform == "linux":
        descriptor = os.memfd_create("parley-waveform", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
        try:
            yield descriptor
        finally:
            os.close(descriptor)
    else:
        with tempfile.TemporaryFile() as file:
            yield file.fileno()


def seal(descriptor: int) -> None:
    """Make the length of an anonymous file final, so that a mapping of it cannot fault (Linux)."""
    if sys.platform == "linux":
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW)


SANDBOX = Sandbox()
atexit.register(SANDBOX.close)
