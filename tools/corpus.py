"""`python -m tools.corpus FOLDER`: write every hostile recording of the tests as a file, and changed recordings.

For trying another decoder, another limit or another deployment with them.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.support.bombs import BOMBS
from tests.support.forgeries import ALLOWED, REFUSED
from tests.support.mutations import mutant

CHANGED = 100


def recordings() -> Iterator[tuple[str, bytes]]:
    """Yield name and bytes of each."""
    for name, (make, _) in BOMBS.items():
        yield f"bomb {name}", make()
    for name, forge in {**REFUSED, **ALLOWED}.items():
        yield f"forged {name}", forge()
    for number in range(CHANGED):
        name, data = mutant(number)
        yield f"changed {number} {name}", data


def main(folder: Path) -> int:
    """Write the files; return the exit status."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in recordings():
        (folder / re.sub(r"[^a-z0-9]+", "-", name.lower())).write_bytes(data)
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
