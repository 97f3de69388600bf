"""The Celery settings that only workers have."""

from __future__ import annotations

import pytest

from parley_core.settings import Settings
from parley_worker.celery.app import worker_app


@pytest.fixture
def transport() -> dict[str, object]:
    options: dict[str, object] = worker_app(Settings()).conf.broker_transport_options
    return options


def test_a_half_open_connection_is_given_up_within_ten_seconds(transport: dict[str, object]) -> None:
    assert 1 + 2 * float(str(transport["health_check_interval"])) <= 10  # kombu: brpop_timeout + 2 * interval


def test_a_message_comes_back_only_after_any_attempt_is_over(transport: dict[str, object]) -> None:
    assert transport["visibility_timeout"] == Settings().visibility_timeout
