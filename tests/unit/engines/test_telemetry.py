"""Engines send no telemetry. That of onnxruntime is on unless it is switched off before the library loads."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

PROGRAM = """
import numpy
from parley_core.job import SpeakerBounds
from parley_worker.engines.base import load_engine
load_engine("onnx").diarize(numpy.zeros(16_000, numpy.float32), SpeakerBounds(), lambda phase, progress: None)
"""


def test_the_engine_writes_no_machine_id_and_opens_no_socket(tmp_path: Path) -> None:
    switches = {"CI", "ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS"}  # each of them switches telemetry off
    environment = {name: value for name, value in os.environ.items() if name not in switches}
    program = PROGRAM + "import psutil; assert not psutil.Process().net_connections()"
    subprocess.run([sys.executable, "-c", program], env=environment | {"TMPDIR": str(tmp_path)}, check=True)
    assert not list(tmp_path.iterdir())
