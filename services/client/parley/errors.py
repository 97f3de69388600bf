"""Every error that the client raises, by class.

    ParleyClientError
    ├── ParleyConnectionError    no answer came
    ├── ParleyApiError           the server answered with a problem: status, code, detail
    │   └── ParleyUnavailable    it cannot do it now (429 or 5xx); the same call can succeed later
    ├── UnexpectedAnswer         what answered does not speak like Parley
    └── WaitTimedOut             the job is still unfinished after the time given to wait()

The message is for people and says what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from parley.models import Job


class ParleyClientError(Exception):
    """Base of every error of this package."""


class ParleyConnectionError(ParleyClientError):
    """No answer came.

    Attributes:
        summary: what happened, without what to do about it.
        reached: False when the request certainly never arrived, so that repeating it cannot do harm.
    """

    def __init__(self, summary: str, advice: str, *, reached: bool) -> None:
        super().__init__(f"{summary} {advice}")
        self.summary = summary
        self.reached = reached


class ParleyApiError(ParleyClientError):
    """The server answered with a problem.

    Attributes:
        status: HTTP status.
        code: stable name of the problem (`job_not_found`), made for programs.
        detail: one sentence for people.
        retry_after: seconds after which the server wants to be asked again, if it said so.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: float | None = None) -> None:
        super().__init__(f"{detail} ({status} {code})")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after


class ParleyUnavailable(ParleyApiError):
    """The server cannot do it now; the same call can succeed later."""


class UnexpectedAnswer(ParleyClientError):
    """What answered does not speak like Parley."""


class WaitTimedOut(ParleyClientError):
    """The job is still unfinished; it goes on. `job` is how it was last seen."""

    def __init__(self, job: Job, seconds: float) -> None:
        super().__init__(f"Job {job.id} is still {job.state} after {seconds:g} s. It goes on; wait again later.")
        self.job = job
