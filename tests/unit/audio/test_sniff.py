"""What a recording is, by its bytes alone."""

from __future__ import annotations

import random

import pytest

from parley_audio import Container, sniff
from parley_core.errors import EmptyRecording, NotAudio, ParleyError
from tests.support.formats import FORMATS

ID3 = b"ID3\x04\x00\x00\x00\x00\x00\x0a" + bytes(10)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_known(name: str) -> None:
    media_type, make = FORMATS[name]
    assert sniff(make(0.5)[:4096]).media_type == media_type


def test_an_mp3_is_found_behind_its_tag() -> None:
    assert sniff(ID3 + FORMATS["mp3"][1](0.5)[:4000]) is Container.MP3


@pytest.mark.parametrize(
    "head",
    [
        b"Dear Sir or Madam",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\nfile /etc/passwd\n",
        b"[playlist]\nFile1=/etc/passwd\n",
        b"<?xml version='1.0'?><smil/>",
        b"\x89PNG\r\n\x1a\n" + bytes(32),
        b"RIFF\x24\x00\x00\x00AVI LIST",
        b"FORM\x00\x00\x10\x008SVXVHDR" + bytes(32),
        b"caff\x00\x02\x00\x00desc" + bytes(32),
        b"#!AMR_MC1.0\n\x00\x00\x00\x02" + bytes(32),
        b"[Reference]\r\nRef1=http://example.org/visit.asf\r\n",
        b"\x00\x00\x00\x1cftypheic" + bytes(32),
        b"\x1aE\xdf\xa3" + bytes(60),
        b"%PDF-1.7",
        b"PK\x03\x04",
        b"\x7fELF",
        b"\xff\xfb\x90",
        bytes(4096),
        b"\xff" * 4096,
    ],
)
def test_what_is_no_audio_is_refused(head: bytes) -> None:
    with pytest.raises(NotAudio, match="Send one of these: WAV, AIFF"):
        sniff(head)


def test_nothing_is_empty_and_says_so() -> None:
    with pytest.raises(EmptyRecording):
        sniff(b"")


def test_no_bytes_break_it() -> None:
    chance = random.Random(1)
    heads = [make(0.2)[:64] for _, make in FORMATS.values()]
    for _ in range(3000):
        head = bytearray(chance.choice(heads)[: chance.randint(1, 64)] + chance.randbytes(chance.randint(0, 64)))
        for _ in range(chance.randint(0, 4)):
            head[chance.randrange(len(head))] = chance.randrange(256)
        try:
            assert isinstance(sniff(bytes(head)), Container)
        except ParleyError as error:
            assert isinstance(error, NotAudio)
