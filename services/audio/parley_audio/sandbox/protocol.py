"""How the owner, the fork server and the forked process talk: JSON messages with their length in front."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

LENGTH = struct.Struct("!I")
MAX_MESSAGE_BYTES = 64 * 1024


def send(call: socket.socket, message: dict[str, Any]) -> None:
    """Send one message; a reader that has hung up does not want it."""
    try:
        call.sendall(_framed(message))
    except (BrokenPipeError, ConnectionResetError):
        return


def send_request(call: socket.socket, request: dict[str, Any], source: int, sink: int) -> None:
    """Send a request with the descriptors of recording and output."""
    framed = _framed(request)
    sent = socket.send_fds(call, [framed], [source, sink])
    if sent < len(framed):  # to send nothing fails where the reader is done already and has hung up
        call.sendall(framed[sent:])


def receive_request(call: socket.socket) -> tuple[dict[str, Any], int, int]:
    """Return a request with the descriptors of recording and output."""
    head, descriptors, _, _ = socket.recv_fds(call, LENGTH.size, 2)
    (length,) = LENGTH.unpack(head)
    source, sink = descriptors
    return json.loads(_receive_exactly(call, length)), source, sink


def messages(call: socket.socket) -> Iterator[dict[str, Any]]:
    """Yield messages until the other side hangs up. Raises ValueError for anything that is not a message."""
    while head := _receive_exactly(call, LENGTH.size):
        (length,) = LENGTH.unpack(head)
        if length > MAX_MESSAGE_BYTES:
            raise ValueError("A message is longer than this protocol allows.")
        message = json.loads(_receive_exactly(call, length))
        if not isinstance(message, dict):
            raise ValueError("A message is an object.")
        yield message


def _framed(message: dict[str, Any]) -> bytes:
    body = json.dumps(message).encode()
    return LENGTH.pack(len(body)) + body


def _receive_exactly(call: socket.socket, length: int) -> bytes:
    """Return so many bytes, or none when the other side hung up before the last of them."""
    body = b""
    while len(body) < length:
        part = call.recv(length - len(body))
        if not part:
            return b""
        body += part
    return body
