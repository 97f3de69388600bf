"""Files in which an operator lists secrets or their hashes, one a line."""

from __future__ import annotations

from pathlib import Path

from parley_core.errors import UnsafeSettings


def lines_of(path: Path, file: str) -> list[str]:
    """Return the lines of an operator's file, without empty ones and comments.

    Args:
        file: what the file is, for the error.

    Raises:
        UnsafeSettings: it cannot be read.
    """
    try:
        lines = [line.strip() for line in path.read_text().splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise UnsafeSettings(f"{file} cannot be read ({type(error).__name__}).") from error
    return [line for line in lines if line and not line.startswith("#")]
