"""The proof that a store does what it is asked."""

from __future__ import annotations

from uuid import uuid4

from parley_core.errors import ObjectStoreUnavailable
from parley_core.ports import RecordingStore


def check(store: RecordingStore) -> None:
    """Write, read and delete an object. Raises ObjectStoreUnavailable."""
    name = f"checks/{uuid4().hex}"
    store.put(name, b"ok")
    try:
        if store.read(name) != b"ok":
            raise ObjectStoreUnavailable("The object store gave back other bytes than were written.")
    finally:
        store.delete(name)
