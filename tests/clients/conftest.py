"""A running API with an API key."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from parley_core.settings import Settings
from tests.support.api_process import ApiProcess
from tests.support.valkey import Valkey

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "reference" / "openapi.json"
KEY = "a key of this test"
LONG = 600  # seconds: packages are installed, and a compiler runs


@pytest.fixture
def api(valkey: Valkey, tmp_path: Path) -> Iterator[ApiProcess]:
    keys = tmp_path / "keys"
    keys.write_text(f"clinic:{hashlib.sha256(KEY.encode()).hexdigest()}\n")
    settings = Settings(redis_url=valkey.url, objects_url=f"file://{tmp_path}/objects")
    with ApiProcess(settings, tmp_path / "api.log", PARLEY_API_KEYS_FILE=str(keys)) as running:
        yield running
