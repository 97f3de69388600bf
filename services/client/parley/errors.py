"""Every error that the client raises, by class.

    ParleyClientError
    ├── ParleyConnectionError    no response arrived
    ├── ParleyApiError           the server refused the request: status, code, detail
    │   └── ParleyUnavailable    the server cannot do it now (429 or 5xx); the same call can succeed later
    ├── UnexpectedResponse       the response does not come from Parley
    ├── WaitTimedOut             the job is unfinished when the timeout of wait() ends
    └── BatchUnfinished          the same of wait_batch()

Every error has a stable `code` for programs and a `detail` for people.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parley.batches import Batch
    from parley.models import Job


class ParleyClientError(Exception):
    """Base class of every error of this package.

    Attributes:
        code: stable name of the error, for programs.
        detail: what happened, in a sentence.
    """

    code = "client_error"

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail


class ParleyConnectionError(ParleyClientError):
    """No response arrived.

    Attributes:
        advice: what to do about it.
        connected: False if the connection was never made. The server has not seen the request, so it is safe to
            send it again.
        timed_out: True if the time limit ended first.
    """

    code = "connection_failed"

    def __init__(self, detail: str, advice: str, *, connected: bool, timed_out: bool) -> None:
        super().__init__(detail)
        self.advice = advice
        self.connected = connected
        self.timed_out = timed_out

    def __str__(self) -> str:
        return f"{self.detail} {self.advice}"


class ParleyApiError(ParleyClientError):
    """The server refused the request.

    Attributes:
        status: HTTP status.
        code: the server's stable name of the problem, such as `job_not_found`.
        retry_after: seconds to wait before the next request, if the server says so.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.detail} ({self.status} {self.code})"


class ParleyUnavailable(ParleyApiError):
    """The server cannot do it now; the same call can succeed later."""


class UnexpectedResponse(ParleyClientError):
    """The response does not come from Parley, or comes from another major version."""

    code = "unexpected_response"


class WaitTimedOut(ParleyClientError):
    """The job is unfinished when the timeout ends. It continues.

    Attributes:
        job: the job in its last known state.
    """

    code = "wait_timed_out"

    def __init__(self, job: Job, seconds: float) -> None:
        super().__init__(f"Job {job.id} is still {job.state} after {seconds:g} s. It continues; wait again later.")
        self.job = job


class BatchUnfinished(ParleyClientError):
    """Jobs of the batch are unfinished when the timeout ends. They continue.

    Attributes:
        batch: the batch in its last known state.
    """

    code = "wait_timed_out"

    def __init__(self, batch: Batch, seconds: float) -> None:
        super().__init__(f"Batch {batch.id} has unfinished jobs after {seconds:g} s. They continue; wait again later.")
        self.batch = batch
