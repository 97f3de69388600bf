"""Fixtures of the worker's unit tests."""

from __future__ import annotations

import pytest

from parley_worker import patience
from tests.support.attempts import World


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(patience, "FIRST_PAUSE", 0.01)
    monkeypatch.setattr(patience, "LONGEST_PAUSE", 0.02)
    return World()
