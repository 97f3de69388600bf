"""Batches in the object store. Which jobs they have is never changed; what became of these, the record says."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from itertools import islice

from parley_api.http.errors import BatchNotFound
from parley_core.batches import (
    Batch,
    OpenBatch,
    batch_deliveries,
    batch_delivery_from_json,
    batch_delivery_key,
    batch_delivery_to_json,
    batch_folder,
    batch_from_json,
    batch_key,
    batch_to_json,
    folders_of_days,
    open_batch_to_json,
)
from parley_core.deliveries import Delivery, DeliveryState
from parley_core.errors import DeliveryNotFound
from parley_core.job_id import day_of
from parley_core.ports import RecordingStore

SEARCHED = 200  # deliveries of batches that one call reads


class Batches:
    """Batches in an object store. Calls block; each raises ObjectStoreUnavailable."""

    def __init__(self, objects: RecordingStore) -> None:
        self._objects = objects

    def create(self, batch: Batch) -> Batch:
        """Store a batch; return it, or the one that another request has stored under its id."""
        if self._objects.create(batch_key(batch.tenant, batch.id), batch_to_json(batch)):
            return batch
        return self.get(batch.tenant, batch.id)

    def promise_delivery(self, tenant: str, batch_id: str, callback_url: str) -> None:
        """Note where the end of a batch is to be delivered, before there is a batch: none is made without it."""
        promised = OpenBatch(tenant, batch_id, callback_url)
        self._objects.create(promised.key, open_batch_to_json(promised))

    def get(self, tenant: str, batch_id: str) -> Batch:
        """Return a batch of a tenant. Raises BatchNotFound."""
        try:
            return batch_from_json(self._objects.read(batch_key(tenant, batch_id)))
        except KeyError:
            raise BatchNotFound("Your tenant has no batch with this id. It goes with the last of its jobs.") from None

    def delivery(self, tenant: str, batch_id: str) -> Delivery:
        """Return the delivery of the end of a batch. Raises DeliveryNotFound before its first attempt, too."""
        try:
            return batch_delivery_from_json(self._objects.read(batch_delivery_key(tenant, batch_id)))
        except (KeyError, ValueError):
            raise DeliveryNotFound("There is no delivery with this id.") from None

    def deliveries(self, tenant: str, state: DeliveryState | None, limit: int) -> Sequence[Delivery]:
        """Return deliveries of batches that have ended, those of the newest batches first."""
        keys = sorted(self._objects.keys(f"{batch_deliveries(tenant)}/"), reverse=True)
        ids = (key.rpartition("/")[2].removesuffix(".json") for key in keys[:SEARCHED])
        return list(islice((one for one in self._readable(tenant, ids) if state in (None, one.state)), limit))

    def resend(self, tenant: str, batch_id: str) -> Delivery:
        """Plan the delivery of a batch once more, now, and return it. Raises DeliveryNotFound."""
        planned = replace(
            self.delivery(tenant, batch_id), state=DeliveryState.PENDING, attempts=0, next_attempt_at=datetime.now(UTC)
        )
        self._objects.put(batch_delivery_key(tenant, batch_id), batch_delivery_to_json(planned))
        waiting = OpenBatch(tenant, batch_id, planned.url, next_at=time.time())  # differs from each one before it
        self._objects.put(waiting.key, open_batch_to_json(waiting))
        return planned

    def _readable(self, tenant: str, ids: Iterable[str]) -> Iterator[Delivery]:
        for batch_id in ids:
            with suppress(DeliveryNotFound):  # removed meanwhile, or damaged
                yield self.delivery(tenant, batch_id)

    def page(self, tenant: str, limit: int, before: str | None) -> tuple[Sequence[Batch], str | None]:
        """Return batches of a tenant, newest first, and where the next page begins; None at the end.

        Args:
            limit: largest number of batches.
            before: only batches with smaller ids, None for all.
        """
        ids = list(islice(self._newest(tenant, before), limit + 1))
        found = []
        for batch_id in ids[:limit]:
            try:
                found.append(self.get(tenant, batch_id))
            except BatchNotFound:  # removed meanwhile
                continue
        return found, ids[limit - 1] if len(ids) > limit else None

    def _newest(self, tenant: str, before: str | None) -> Iterator[str]:
        for folder in sorted(folders_of_days(self._objects.folders(batch_folder(tenant))), reverse=True):
            if before is not None and folder.rpartition("/")[2] > day_of(before):
                continue
            names = [key.rpartition("/")[2].removesuffix(".json") for key in self._objects.keys(f"{folder}/")]
            yield from (name for name in sorted(names, reverse=True) if before is None or name < before)
