"""Engines load slowly, so one of each serves all tests."""

from __future__ import annotations

import numpy as np
import pytest
import soundfile
from numpy.typing import NDArray

from benchmarks.data.audio import SHIPPED
from parley_worker.engines.base import load_engine
from parley_worker.engines.port import Engine


@pytest.fixture(scope="session")
def engine() -> Engine:
    return load_engine("onnx")


@pytest.fixture(scope="session")
def exact() -> Engine:
    """The reference engine: slow, for short recordings."""
    return load_engine("onnx-exact")


@pytest.fixture(params=["engine", "exact"])
def any_engine(request: pytest.FixtureRequest) -> Engine:
    chosen: Engine = request.getfixturevalue(str(request.param))
    return chosen


@pytest.fixture(scope="session")
def conversation() -> NDArray[np.float32]:
    """Three readers, 46 s: the recording that ships with the client."""
    return np.asarray(soundfile.read(SHIPPED / "conversation.flac", dtype="float32")[0])
