"""Fixtures of the worker's unit tests."""

from __future__ import annotations

import pytest

from parley_worker.attempt import retry
from tests.support.attempts import AttemptFixture


@pytest.fixture
def fixture(monkeypatch: pytest.MonkeyPatch) -> AttemptFixture:
    monkeypatch.setattr(retry, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(retry, "LONGEST_PAUSE", 0.02)
    return AttemptFixture()
