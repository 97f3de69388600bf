"""Exit codes of the `parley` command. They are part of its interface: scripts branch on them."""

from __future__ import annotations

from enum import IntEnum

from parley.errors import ParleyApiError, ParleyConnectionError, ParleyUnavailable


class Exit(IntEnum):
    """How a command ended. Where several things went wrong, the highest number is the exit code."""

    OK = 0
    JOB_FAILED = 1  # a job that was waited for failed or was cancelled
    USAGE = 2  # wrong options, or a file that cannot be read or written
    REFUSED = 3  # the server said no (4xx); asking again gives the same answer
    UNAVAILABLE = 4  # no answer, or not now (429, 5xx); asking again later can help
    INTERRUPTED = 130  # Ctrl-C; jobs that were accepted go on


def exit_for(error: Exception) -> Exit:
    """Return the exit code that an error of the client, or of a file, stands for."""
    if isinstance(error, OSError):
        return Exit.USAGE
    if isinstance(error, ParleyConnectionError | ParleyUnavailable):
        return Exit.UNAVAILABLE
    return Exit.REFUSED if isinstance(error, ParleyApiError) else Exit.UNAVAILABLE


EXIT_CODES_HELP = (
    "Exit codes: 0 ok · 1 a job failed or was cancelled · 2 wrong usage · 3 refused by the server · "
    "4 server not reachable or not able now · 130 interrupted."
)
