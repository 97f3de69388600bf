"""The picture of a timeline as PNG, for programs and documents that take no SVG."""

from __future__ import annotations

import math
import re
from pathlib import Path

import resvg_py

SCALE = 2.0  # pixels of the image by pixel of the picture: sharp on paper and on dense screens
MOST_PIXELS = 16_000_000  # 64 MB while it is drawn, whatever the number of speakers
FONTS = [str(path) for path in sorted((Path(__file__).parent / "fonts").glob("*.ttf"))]
SIZE = re.compile(r'<svg [^>]*width="(\d+)" height="(\d+)"')
LAST_OF_INTER = "\u024f"  # end of Latin Extended-B: further letters are drawn with fonts of the system, if it has any


def png_of(svg: str) -> bytes:
    """Return a picture of `timeline_svg` as PNG, in twice its size or less.

    The picture names no other file, and the library loads none but the fonts.
    """
    size = SIZE.search(svg)
    if size is None:
        raise ValueError("The picture does not state its size.")
    pixels = int(size[1]) * int(size[2])
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=min(SCALE, math.sqrt(MOST_PIXELS / pixels)),
        font_files=FONTS,
        sans_serif_family="Inter",
        skip_system_fonts=not any(letter > LAST_OF_INTER and letter.isalpha() for letter in svg),
    )
