"""Slots that tenants share."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from parley_api.runtime.tenant_slots import TenantSlots
from tests.support.api_fixture import ApiFixture, assert_problem
from tests.unit.api.test_access import bearer, line
from tests.unit.api.test_voiceprints import submit

pytestmark = pytest.mark.anyio


async def test_a_tenant_with_all_of_its_share_leaves_the_rest_to_others() -> None:
    slots = TenantSlots(total=3, per_tenant=2)
    async with slots.slot("busy"), slots.slot("busy"):
        with pytest.raises(TimeoutError):
            async with slots.slot("busy", wait_seconds=0.01):
                pass
        async with slots.slot("other", wait_seconds=0.01):
            pass


async def test_a_full_process_lets_nobody_in() -> None:
    slots = TenantSlots(total=2, per_tenant=1)
    async with slots.slot("one"), slots.slot("two"):
        with pytest.raises(TimeoutError):
            async with slots.slot("three", wait_seconds=0.01):
                pass


async def test_a_slot_is_free_again_after_use_and_after_a_wait_that_ended() -> None:
    slots = TenantSlots(total=2, per_tenant=1)
    for _ in range(5):
        async with slots.slot("one"):
            with pytest.raises(TimeoutError):
                async with slots.slot("one", wait_seconds=0):
                    pass
    async with AsyncExitStack() as stack:
        for tenant in ("one", "two"):
            await stack.enter_async_context(slots.slot(tenant, wait_seconds=0.01))


async def test_the_time_in_a_slot_has_no_limit() -> None:
    async with TenantSlots(1, 1).slot("one", wait_seconds=0.01):
        await anyio.sleep(0.05)


async def test_nothing_is_kept_of_a_tenant_that_is_gone() -> None:
    slots = TenantSlots(1, 1)
    async with slots.slot("one"):
        pass
    assert slots._shares == {}
    assert not slots._users


async def test_a_tenant_that_waits_for_jobs_leaves_other_tenants_their_share(tmp_path: Path) -> None:
    (tmp_path / "keys").write_text(line("north", "n") + line("south", "s"))
    api = ApiFixture()
    api.settings = api.settings.model_copy(update={"api_keys_file": tmp_path / "keys", "tenant_waits": 1})
    async with api.client(**bearer("n")) as north, api.client(**bearer("s")) as south:
        one, other = [await submit(client) for client in (north, south)]
        calls = {asyncio.create_task(north.get(f"/v1/jobs/{one}", params={"wait": 30})) for _ in range(2)}
        refused, waiting = await asyncio.wait(calls, return_when=asyncio.FIRST_COMPLETED)
        assert_problem(refused.pop().result(), 429, "too_many_waits")
        held = waiting.pop()
        assert_problem(await north.get(f"/v1/jobs/{one}/events"), 429, "too_many_waits")
        assert (await south.get(f"/v1/jobs/{other}", params={"wait": 0.01})).status_code == 200
        held.cancel()
        await asyncio.gather(held, return_exceptions=True)
        assert (await north.get(f"/v1/jobs/{one}", params={"wait": 0.01})).status_code == 200
