"""The picture of a timeline as PNG, for programs and documents that take no SVG."""

from __future__ import annotations

import math
import re
import unicodedata
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import resvg_py

SCALE = 2.0  # pixels of the image by pixel of the picture: sharp on paper and on dense screens
MOST_PIXELS = 16_000_000  # 64 MB while it is drawn, whatever the number of speakers
FONTS = [str(path) for path in sorted((Path(__file__).parent / "fonts").glob("*.ttf"))]
SIZE = re.compile(r'<svg [^>]*width="(\d+)" height="(\d+)"')
LAST_OF_INTER = "\u024f"  # end of Latin Extended-B
OTHER_FONTS = ("fontpkg_noto_sans_arabic", "fontpkg_noto_sans_devanagari", "noto_cjk_sans_jp_regular")  # packages
OTHER_SCRIPTS = frozenset(
    {"LATIN", "GREEK", "CYRILLIC", "ARABIC", "DEVANAGARI", "CJK", "HIRAGANA", "KATAKANA", "HANGUL"}
)
"""Scripts of these fonts, as the names of their letters begin. Others are drawn with fonts of the system, if any."""


def png_of(svg: str) -> bytes:
    """Return a picture of `timeline_svg` as PNG, in twice its size or less.

    The picture names no other file, and the library loads none but the fonts.
    """
    size = SIZE.search(svg)
    if size is None:
        raise ValueError("The picture does not state its size.")
    pixels = int(size[1]) * int(size[2])
    others = {letter for letter in svg if letter > LAST_OF_INTER and letter.isalpha()}
    scripts = {unicodedata.name(letter, "").partition(" ")[0] for letter in others}
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        zoom=min(SCALE, math.sqrt(MOST_PIXELS / pixels)),
        font_files=FONTS + (_other_fonts() if others else []),
        sans_serif_family="Inter",
        skip_system_fonts=scripts <= OTHER_SCRIPTS,
    )


@cache
def _other_fonts() -> list[str]:
    """Return the files of the fonts that come as packages. A package holds one font beside its description."""
    found: list[str] = []
    for package in OTHER_FONTS:
        spec = find_spec(package)
        folders = [Path(one) for one in (spec.submodule_search_locations or ())] if spec else []
        found += [str(path) for folder in folders for path in folder.rglob("*.[to]tf")]
    return found
