"""The retry decision and the words of a job's life."""

from __future__ import annotations

import inspect

import pytest

from parley_core import errors
from parley_core.errors import (
    AttemptTimedOut,
    ObjectStoreUnavailable,
    ParleyError,
    PermanentError,
    UnreadableRecording,
    WorkerLost,
)
from parley_core.job import MAX_ATTEMPTS, GiveUp, JobState, RetryIn, after_failure


def every_error() -> list[type[ParleyError]]:
    classes = [value for _, value in inspect.getmembers(errors, inspect.isclass)]
    return [value for value in classes if issubclass(value, ParleyError)]


def test_a_permanent_error_ends_the_job_at_once() -> None:
    assert after_failure(1, UnreadableRecording("damaged")) == GiveUp()


def test_retryable_errors_wait_longer_each_time_and_end_after_four_attempts() -> None:
    decisions = [after_failure(number, ObjectStoreUnavailable("down")) for number in range(1, 5)]
    assert decisions == [RetryIn(60), RetryIn(120), RetryIn(240), GiveUp()]


@pytest.mark.parametrize("error", [WorkerLost("gone"), AttemptTimedOut("too slow")])
def test_a_lost_or_late_attempt_is_replaced_at_once_but_not_for_ever(error: ParleyError) -> None:
    assert after_failure(1, error) == RetryIn(0)
    assert after_failure(MAX_ATTEMPTS, error) == GiveUp()


def test_only_the_three_ends_are_terminal() -> None:
    assert {state for state in JobState if state.terminal} == {
        JobState.SUCCEEDED,
        JobState.FAILED,
        JobState.CANCELLED,
    }


def test_every_error_class_has_a_code_of_its_own() -> None:
    leaves = [cls for cls in every_error() if not cls.__subclasses__()]
    codes = [cls.code for cls in leaves]
    assert len(codes) == len(set(codes))
    assert "internal_error" not in codes


def test_every_error_is_drawn_in_the_tree_at_the_top() -> None:
    for cls in every_error():
        assert cls.__name__ in (errors.__doc__ or "")


def test_every_error_says_permanent_or_retryable_or_ended() -> None:
    kinds = (PermanentError, errors.RetryableError, errors.AttemptEnded)
    assert all(issubclass(cls, kinds) for cls in every_error() if cls is not ParleyError)
