"""Exit codes of the `parley` command. They are part of its interface: scripts branch on them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended. If several things failed, the highest number is the exit code."""

    OK = 0
    JOB_FAILED = 1  # a job that the command waited for failed or was cancelled
    USAGE = 2  # invalid options, or a file that cannot be read or written
    REFUSED = 3  # the server refused the request (4xx); the same request is refused again
    UNAVAILABLE = 4  # no response, or not now (429, 5xx); the same request can succeed later
    INTERRUPTED = 130  # Ctrl-C; accepted jobs continue


EXIT_CODES_HELP = (
    "Exit codes: 0 success; 1 a job failed or was cancelled; 2 invalid usage; 3 refused by the server; "
    "4 server unavailable; 130 interrupted."
)
