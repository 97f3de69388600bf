"""The receiver of deliveries takes whole requests, as a receiver of a user does."""

from __future__ import annotations

import socket

from tests.support.receivers import Receiver

HALF = b"POST /parley HTTP/1.0\r\nContent-Length: 23\r\n\r\nhalf of it"


def test_half_a_request_of_a_killed_sender_is_not_received() -> None:
    with Receiver() as receiver, socket.create_connection((receiver.host, receiver.port)) as sender:
        sender.sendall(HALF)
        sender.shutdown(socket.SHUT_WR)
        assert sender.recv(1) == b""
        assert receiver.received == []
        with socket.create_connection((receiver.host, receiver.port)) as another:
            another.sendall(HALF + b" and the")
            another.sendall(b" rest")
            assert another.recv(12) == b"HTTP/1.0 204"
        assert [one.body for one in receiver.received] == [b"half of it and the rest"]
