"""Opens a hostile recording with FFmpeg (through PyAV), with as little of FFmpeg as will do.

Runs in the confined process only. One demuxer, chosen by `sniff`, not by FFmpeg's guess; a short list of decoders; and
no protocol at all: FFmpeg gets the bytes of one open file and can name no other.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Any

import av
import av.error
import av.logging
from av.codec import CodecContext
from av.stream import Discard

from parley_audio.container import Container
from parley_audio.reading.clock import Clock
from parley_audio.reading.layout import check_layout
from parley_audio.reading.recording import RecordingFile, size_of
from parley_core.errors import EmptyRecording, RecordingTooLong, UnreadableRecording

av.logging.set_level(av.logging.PANIC)

DECODERS = frozenset(
    {"flac", "alac", "vorbis", "opus", "libopus", "mp3", "mp3float", "aac", "pcm_alaw", "pcm_mulaw"}
    | {f"pcm_{kind}{order}" for kind in ("s16", "s24", "s32", "f32", "f64") for order in ("le", "be")}
    | {"pcm_u8", "pcm_s8", "adpcm_ima_wav", "adpcm_ima_qt", "adpcm_ms", "gsm_ms"}
    | {"libopencore_amrnb", "libopencore_amrwb", "wmav1", "wmav2"}
)
# FFmpeg's own AMR decoders stop at the comfort noise that telephones send in pauses, and damp a steady tone by 2 dB.
IN_PLACE_OF = {"amrnb": "libopencore_amrnb", "amrwb": "libopencore_amrwb"}
MIN_RATE, MAX_RATE = 4_000, 384_000  # Hz: below telephony, and the fastest converters sold
MAX_CHANNELS = 32
READ_BYTES = 64 * 1024
PACKETS_PER_SECOND = 100  # of the longest recording: 10 ms each, where 20 ms are usual
PACKET_BYTES = 1024  # larger packets are allowed beyond that: the size of the file limits their number
STEP_CPU_SECONDS = 1.0  # to open a recording, and for the next packets: sound ones need hundredths
STEP_PACKETS = 256
BAD_HEADER = "its header cannot be true"
RESEND = "Send the original again."


@dataclass(frozen=True, slots=True)
class Source:
    """An open container, its one audio stream that is read, its decoder and clock, and how many packets it may have."""

    container: Any
    stream: Any
    decoder: Any
    clock: Clock
    most_packets: int

    @property
    def codec(self) -> str:
        return str(self.decoder.name)

    @property
    def tracks(self) -> int:
        """Number of audio streams; the first one is read."""
        return len(self.container.streams.audio)


@contextmanager
def open_source(descriptor: int, container: Container, max_seconds: float) -> Iterator[Source]:
    """Check the layout of an open file and give its audio for as long as the context lasts.

    The kernel ends this process (SIGPROF) if opening takes more than `STEP_CPU_SECONDS` of processor time: FFmpeg
    compares each tag with all others, so that a megabyte of tags takes half a minute.

    Raises:
        EmptyRecording: a valid beginning with nothing after it.
        UnreadableRecording: damaged, no audio in it, a codec that Parley does not decode, or an impossible header;
            also for FFmpeg errors inside the context.
    """
    most_packets = int(max_seconds * PACKETS_PER_SECOND) + size_of(descriptor) // PACKET_BYTES + STEP_PACKETS
    allow_next_step()
    try:
        check_layout(descriptor, container)
        with damage_named(), closing(_open(descriptor, container)) as opened:
            stream = _audio_stream(opened)
            yield Source(opened, stream, _decoder(stream), Clock.of(container, opened, stream), most_packets)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def allow_next_step() -> None:
    """Give this process `STEP_CPU_SECONDS` of processor time from now on."""
    signal.setitimer(signal.ITIMER_PROF, STEP_CPU_SECONDS)


@contextmanager
def damage_named() -> Iterator[None]:
    """Turn FFmpeg's errors into UnreadableRecording; running out of memory stays MemoryError."""
    try:
        yield
    except MemoryError:
        raise
    except av.error.FFmpegError as error:
        raise UnreadableRecording(
            "The recording is damaged: it cannot be decoded to its end. Send the original again."
        ) from error


def _open(descriptor: int, container: Container) -> Any:
    names = ",".join(sorted(DECODERS))
    return av.open(
        RecordingFile(descriptor),
        format=container.demuxer,
        buffer_size=READ_BYTES,
        metadata_errors="replace",  # tags count for nothing, and old programs write them in Latin-1
        container_options={"protocol_whitelist": "none", "codec_whitelist": names, "enable_drefs": "0"},
    )


def _audio_stream(opened: Any) -> Any:
    if not opened.streams.audio:
        raise UnreadableRecording("There is no audio stream in this container. Send a recording with sound.")
    for other in opened.streams:
        other.discard = Discard.all
    stream = opened.streams.audio[0]
    stream.discard = Discard.default
    return stream


def _decoder(stream: Any) -> Any:
    """Return the decoder of a stream. Raises UnreadableRecording if Parley does not use it."""
    context: Any = stream.codec_context
    name = IN_PLACE_OF.get(context.name, context.name) if context is not None else "unknown"
    if name not in DECODERS:
        raise UnreadableRecording(
            f"Parley does not decode the codec '{name}'. Convert the recording to FLAC, WAV, Opus, MP3 or AAC."
        )
    if name != context.name:
        stated = context
        context = CodecContext.create(name, "r")
        context.sample_rate = stated.sample_rate
        context.layout = stated.layout
    context.thread_count = 1
    return context


def require_plausible(sample_rate: int, channels: int) -> None:
    """Raise UnreadableRecording for a sample rate or number of channels that no recording has."""
    if not MIN_RATE <= sample_rate <= MAX_RATE:
        raise UnreadableRecording(
            f"A sample rate of {sample_rate} Hz: {BAD_HEADER} ({MIN_RATE} to {MAX_RATE} Hz can). {RESEND}"
        )
    if not 1 <= channels <= MAX_CHANNELS:
        raise UnreadableRecording(f"{channels} channels: {BAD_HEADER} (1 to {MAX_CHANNELS} can). {RESEND}")


def packets(source: Source) -> Iterator[Any]:
    """Yield the audio stream's packets, without the empty one that ends them.

    Raises UnreadableRecording for more packets than a recording of the longest length has.
    """
    try:
        for number, packet in enumerate(source.container.demux(source.stream)):
            if number % STEP_PACKETS == 0:
                allow_next_step()
            if number > source.most_packets:
                raise UnreadableRecording(
                    f"The recording has more than {source.most_packets} packets, the limit here. "
                    "Convert it to FLAC or WAV and send that."
                )
            if packet.size:
                yield packet
    except av.error.EOFError:
        return


def ticks(packet: Any) -> int:
    """Return a packet's length in its stream's time base.

    The last packet of an Ogg stream that ends before its page does has a negative one, which PyAV shows unsigned.
    """
    duration = packet.duration or 0
    return duration - (1 << 32) if duration >= 1 << 31 else duration


def empty_recording() -> EmptyRecording:
    """The error for a container with no sample in it."""
    return EmptyRecording("The recording holds no sample: zero seconds of audio. Send one with sound.")


def too_long(max_seconds: float) -> RecordingTooLong:
    """The error for more audio than this deployment takes."""
    return RecordingTooLong(
        f"The recording is longer than {max_seconds:.0f} s, the limit here (PARLEY_MAX_RECORDING_SECONDS). "
        "Cut it into parts."
    )
