"""Callers' idempotency keys are forgotten after a day, and no sooner."""

from __future__ import annotations

import os
import time
from pathlib import Path

from parley_core.job import IdempotencyKey
from parley_core.storage.folder import FolderStore
from parley_core.storage.manifests import Manifests

DAY = 24 * 3600


def test_keys_older_than_a_day_are_removed(tmp_path: Path) -> None:
    manifests = Manifests(FolderStore(tmp_path))
    manifests.bind_key("t", IdempotencyKey("old", "d"), "job-1")
    (old,) = (tmp_path / "idempotency").iterdir()
    os.utime(old, (time.time() - DAY - 60, time.time() - DAY - 60))
    manifests.bind_key("t", IdempotencyKey("new", "d"), "job-2")
    looked_at: list[None] = []
    manifests.forget_keys(lambda: looked_at.append(None))
    assert len(looked_at) == 2, "a keeper with a million keys to forget is not stuck"
    assert not old.exists()
    assert manifests.bind_key("t", IdempotencyKey("new", "d"), "job-3") == "job-2"
