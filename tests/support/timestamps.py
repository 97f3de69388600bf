"""Recordings whose packets come at other times: with gaps, as browsers and lossy lines leave them, or behind video."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from io import BytesIO
from typing import Any

import av

Retime = Callable[[float], float | None]
"""Takes the time of a packet in seconds and returns the new one, None to drop the packet."""

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "1000000"}
PICTURES_PER_SECOND, PICTURE_WIDTH = 10, 64


def retimed(recording: bytes, form: str, retime: Retime, options: dict[str, str] | None = None) -> bytes:
    """Return the packets of a recording in another container, at other times."""
    buffer = BytesIO()
    with av.open(BytesIO(recording)) as source, av.open(buffer, "w", format=form, options=options or {}) as sink:
        stream = sink.add_stream_from_template(source.streams.audio[0])
        for packet in _retimed_packets(source, stream, retime):
            sink.mux(packet)
    return buffer.getvalue()


def without(start: float, end: float) -> Retime:
    """Return what drops the packets of a time, in seconds."""
    return lambda time: None if start <= time < end else time


def behind_video(recording: bytes, form: str, codec: str, seconds: float, lead: float) -> bytes:
    """Return black pictures of some seconds, and the sound of a recording that begins `lead` seconds after them."""
    buffer = BytesIO()
    with av.open(BytesIO(recording)) as source, av.open(buffer, "w", format=form) as sink:
        video = sink.add_stream(codec, rate=PICTURES_PER_SECOND, width=PICTURE_WIDTH, height=PICTURE_WIDTH)
        sound = sink.add_stream_from_template(source.streams.audio[0])
        packets = [packet for number in range(int(seconds * PICTURES_PER_SECOND)) for packet in _picture(video, number)]
        packets += [*video.encode(None), *_retimed_packets(source, sound, lambda time: time + lead)]
        for packet in sorted(packets, key=lambda packet: float(packet.dts * packet.time_base)):
            sink.mux(packet)
    return buffer.getvalue()


def _retimed_packets(source: Any, stream: Any, retime: Retime) -> list[Any]:
    packets = []
    for packet in source.demux(source.streams.audio[0]):
        time = retime(float(packet.pts * packet.time_base)) if packet.size else None
        if time is None:
            continue
        packet.pts = packet.dts = round(time / packet.time_base)
        packet.stream = stream
        packets.append(packet)
    return packets


def _picture(video: Any, number: int) -> Any:
    frame = av.VideoFrame(PICTURE_WIDTH, PICTURE_WIDTH, "yuv420p")
    for plane in frame.planes:
        plane.update(bytes(plane.buffer_size))
    frame.pts, frame.time_base = number, Fraction(1, PICTURES_PER_SECOND)
    return video.encode(frame)
