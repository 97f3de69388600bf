"""The picture as PNG: size, letters, and what it never costs or loads."""

from __future__ import annotations

import io
from dataclasses import replace
from unittest.mock import patch

import pytest
import resvg_py
from PIL import Image

from parley_console.image import MOST_PIXELS, png_of
from parley_console.picture import COLOURS, WIDTH, timeline_svg
from tests.unit.console.test_picture import result


def drawn(svg: str) -> Image.Image:
    return Image.open(io.BytesIO(png_of(svg))).convert("RGB")


def colours(image: Image.Image) -> set[str]:
    return {"#{:02x}{:02x}{:02x}".format(*colour) for _, colour in image.getcolors(image.width * image.height)}


def test_the_image_has_twice_the_size_and_the_colours_of_the_speakers() -> None:
    image = drawn(timeline_svg(result(), {}))
    assert image.width == 2 * WIDTH
    assert set(COLOURS[:2]) <= colours(image)


def test_names_are_drawn_with_letters_of_latin_languages() -> None:
    plain, named, other = (drawn(timeline_svg(result(), {"SPEAKER_00": name})) for name in ("", "Łukasz Ő", "Łukasz Ű"))
    assert len({image.tobytes() for image in (plain, named, other)}) == 3


def test_a_name_is_text_whatever_it_holds() -> None:
    name = '</text><rect width="1200" height="900" fill="#123456"/><image href="/etc/hostname"/>'
    assert "#123456" not in colours(drawn(timeline_svg(result(), {"SPEAKER_00": name})))


def test_very_many_speakers_make_a_coarser_image() -> None:
    speakers = tuple(f"SPEAKER_{number:02}" for number in range(1000))
    image = drawn(timeline_svg(replace(result(), speakers=speakers), {}))
    assert 0.9 * MOST_PIXELS < image.width * image.height < 1.01 * MOST_PIXELS


# Two names of the same length per script: where a font is missing, both are the same row of boxes, or of nothing.
NAMES = {
    "Chinese": ("王小明", "李大伟"),
    "Japanese": ("さくら", "みどり"),
    "Korean": ("김민수", "박지훈"),
    "Arabic": ("محمد", "فاطم"),
    "Hindi": ("राम", "सीत"),
    "Russian": ("Олег", "Вера"),
    "Greek": ("Νίκο", "Άννα"),
}


@pytest.mark.parametrize("script", NAMES)
def test_names_in_other_scripts_are_drawn_with_letters_on_a_machine_without_fonts(script: str) -> None:
    with patch.object(resvg_py, "svg_to_bytes", wraps=resvg_py.svg_to_bytes) as drawing:
        images = [drawn(timeline_svg(result(), {"SPEAKER_00": name})) for name in ("", *NAMES[script])]
    assert len({image.tobytes() for image in images}) == 3
    assert all(call.kwargs["skip_system_fonts"] for call in drawing.call_args_list)


def test_other_scripts_fall_back_to_fonts_of_the_system() -> None:
    with patch.object(resvg_py, "svg_to_bytes", wraps=resvg_py.svg_to_bytes) as drawing:
        png_of(timeline_svg(result(), {"SPEAKER_00": "ᏣᎳᎩ"}))
    assert not drawing.call_args.kwargs["skip_system_fonts"]
