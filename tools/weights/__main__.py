"""`make weights` writes the eight-bit models anew and prints their hashes, for engines/onnx/models.py.

The scales follow what the released models give for the sample conversation, so they can differ in the last digit from
one processor to another; the files in use are those whose hashes are pinned.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from tools.weights.eight_bits import lstm_in_eight_bits, trunk_in_eight_bits
from tools.weights.trunk import split_trunk

SERVICES = Path(__file__).resolve().parents[2] / "services"
MODELS = SERVICES / "worker" / "parley_worker" / "models"
CONVERSATION = SERVICES / "client" / "parley" / "sample" / "conversation.flac"


def main() -> None:
    """Make both models."""
    trunk = split_trunk(MODELS / "wespeaker-campplus.onnx")
    made = {
        "campplus-trunk.int8.onnx": trunk_in_eight_bits(trunk, CONVERSATION),
        "segmentation.int8.onnx": lstm_in_eight_bits(MODELS / "segmentation.onnx"),
    }
    for name, data in made.items():
        (MODELS / name).write_bytes(data)
        sys.stdout.write(f"{hashlib.sha256(data).hexdigest()}  {name}  {len(data) / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
