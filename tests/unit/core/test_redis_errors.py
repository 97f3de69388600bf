"""Errors of Redis by class: full, away for now, or unusable until somebody changes something."""

from __future__ import annotations

from typing import Any

import pytest
from redis import exceptions

from parley_core.errors import JobStoreFull, JobStoreUnavailable, JobStoreUnusable, ParleyError
from parley_core.redis.connection import require_usable_server, translated

SCRIPT = " script: 3f1a, on @user_script:12."


@pytest.mark.parametrize(
    ("error", "kind", "words"),
    [
        (exceptions.OutOfMemoryError("command not allowed"), JobStoreFull, "maxmemory"),
        (exceptions.ResponseError("OOM command not allowed" + SCRIPT), JobStoreFull, "maxmemory"),
        (exceptions.ConnectionError("refused"), JobStoreUnavailable, "ConnectionError"),
        (exceptions.TimeoutError("late"), JobStoreUnavailable, "TimeoutError"),
        (exceptions.ReadOnlyError("You can't write against a read only replica."), JobStoreUnavailable, "replica"),
        (exceptions.ResponseError("NOREPLICAS Not enough good replicas"), JobStoreUnavailable, "NOREPLICAS"),
        (exceptions.BusyLoadingError("loading"), JobStoreUnavailable, "not ready"),
        (exceptions.MasterDownError("down"), JobStoreUnavailable, "not ready"),
        (exceptions.TryAgainError("again"), JobStoreUnavailable, "not ready"),
        (exceptions.ResponseError("MISCONF cannot persist"), JobStoreUnavailable, "ResponseError"),
        (exceptions.AuthenticationError("WRONGPASS"), JobStoreUnusable, "password"),
        (exceptions.NoPermissionError("no permissions to run 'evalsha'"), JobStoreUnusable, "evalsha"),
        (exceptions.ResponseError("ACL failure in script: 'zadd'" + SCRIPT), JobStoreUnusable, "zadd"),
        (exceptions.ResponseError("The user executing the script can't run this command or subcommand"),
         JobStoreUnusable, "rights"),
        (exceptions.MovedError("1 host:6379"), JobStoreUnusable, "cluster"),
        (exceptions.ClusterCrossSlotError("CROSSSLOT"), JobStoreUnusable, "cluster"),
        (exceptions.ClusterDownError("Hash slot not served"), JobStoreUnusable, "cluster"),
        (exceptions.ResponseError("Script attempted to access a non local key in a cluster node" + SCRIPT),
         JobStoreUnusable, "cluster"),
        (exceptions.ResponseError("Script attempted to access keys that do not hash to the same slot" + SCRIPT),
         JobStoreUnusable, "cluster"),
        (exceptions.ResponseError("Error compiling script: user_script:1: unexpected symbol near '#'"),
         JobStoreUnusable, "Redis 7"),
        (exceptions.ResponseError("unknown command 'EVALSHA'"), JobStoreUnusable, "Redis 7"),
    ],
)  # fmt: skip
def test_an_error_has_a_class_by_what_can_heal_it(
    error: exceptions.RedisError, kind: type[ParleyError], words: str
) -> None:
    ours = translated(error)
    assert type(ours) is kind
    assert words in ours.detail


GOOD = {"redis_version": "7.2.4", "cluster_enabled": 0}


@pytest.mark.parametrize(
    ("wrong", "words"), [({"cluster_enabled": 1}, "cluster mode"), ({"redis_version": "7.0.15"}, "use Redis 7.2")]
)
def test_a_server_that_cannot_be_used_is_named(wrong: dict[str, Any], words: str) -> None:
    require_usable_server(GOOD)
    require_usable_server(GOOD | {"redis_version": "10.0.0"})
    with pytest.raises(JobStoreUnusable, match=words):
        require_usable_server(GOOD | wrong)
