"""Addresses of Redis, and what redis-py and kombu make of them."""

from __future__ import annotations

from typing import Any

import pytest

from parley_core.celery_queue import broker_url, create_app
from parley_core.errors import UnsafeSettings
from parley_core.redis.address import SentinelAddress, sentinel_address
from parley_core.redis.connection import connect, connect_async
from parley_core.settings import Settings

SERVICE = "redis+sentinel://parley:p%40ss@a:26380,b/primary/2?sentinel_password=s3"


@pytest.mark.parametrize("url", ["redis://:p@host:6379/1", "rediss://host", "unix:///run/s?db=0"])
def test_the_address_of_a_server_names_no_sentinels(url: str) -> None:
    assert sentinel_address(url) is None


def test_an_address_of_sentinels_is_read_whole() -> None:
    assert sentinel_address(SERVICE) == SentinelAddress(
        sentinels=(("a", 26380), ("b", 26379)),
        service="primary",
        database=2,
        user="parley",
        password="p@ss",
        sentinel_password="s3",
    )
    assert sentinel_address("redis+sentinel://h/s") == SentinelAddress((("h", 26379),), "s")
    address = sentinel_address("redis+sentinel://:p@h/s/0")
    assert address is not None
    assert (address.login, address.sentinel_login) == ({"password": "p"}, {})


@pytest.mark.parametrize("rest", ["", "h", "h/", "/s", "h:x/s", "h,/s", "h/s/x"])
def test_an_address_of_sentinels_that_lacks_a_part_is_refused_with_its_form(rest: str) -> None:
    with pytest.raises(UnsafeSettings, match=r"redis\+sentinel://.*SERVICE"):
        sentinel_address(f"redis+sentinel://{rest}")


@pytest.mark.parametrize("make", [connect, connect_async])
def test_clients_of_a_service_ask_each_sentinel_and_log_in_to_both(make: Any) -> None:
    pool = make(SERVICE, 5.0).connection_pool
    assert pool.service_name == "primary"
    asked = [sentinel.connection_pool.connection_kwargs for sentinel in pool.sentinel_manager.sentinels]
    assert [(options["host"], options["port"], options["password"]) for options in asked] == [
        ("a", 26380, "s3"),
        ("b", 26379, "s3"),
    ]
    assert {options["socket_timeout"] for options in asked} == {1.0}
    of_server = pool.connection_kwargs
    assert (of_server["username"], of_server["password"], of_server["db"]) == ("parley", "p@ss", 2)
    assert of_server["socket_timeout"] == 5.0


def test_the_broker_of_a_service_is_found_through_its_sentinels() -> None:
    assert broker_url(SERVICE) == "sentinel://parley:p%40ss@a:26380/2;sentinel://parley:p%40ss@b:26379/2"
    options = create_app(Settings(redis_url=SERVICE)).conf.broker_transport_options
    assert options["master_name"] == "primary"
    assert options["sentinel_kwargs"]["password"] == "s3"
