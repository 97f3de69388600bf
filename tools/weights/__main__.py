"""`make weights`: writes the 8-bit models and prints their hashes, which engines/onnx/models.py pins.

The scales follow from the outputs of the released models for the sample conversation, so they can differ between
processors in the last digit. The files in use are those whose hashes are pinned.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from parley_worker.engines.onnx.models import SEGMENTATION_INT8, TRUNK_INT8
from tools.weights.packing import packed_segmentation, packed_trunk
from tools.weights.quantization import quantized_trunk
from tools.weights.trunk import split_trunk

SERVICES = Path(__file__).resolve().parents[2] / "services"
MODELS = SERVICES / "worker" / "parley_worker" / "models"
CONVERSATION = SERVICES / "client" / "parley" / "sample" / "conversation.flac"


def main() -> None:
    """Write both models."""
    trunk = split_trunk(MODELS / "wespeaker-campplus.onnx")
    made = {
        TRUNK_INT8: packed_trunk(quantized_trunk(trunk, CONVERSATION)),
        SEGMENTATION_INT8: packed_segmentation(MODELS / "segmentation.onnx"),
    }
    for name, data in made.items():
        (MODELS / name).write_bytes(data)
        sys.stdout.write(f"{hashlib.sha256(data).hexdigest()}  {name}  {len(data) / 1e6:.1f} MB\n")


if __name__ == "__main__":
    main()
