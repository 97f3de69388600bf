"""Exit codes of the `parley` command. They are part of its interface: scripts branch on them."""

from __future__ import annotations

from enum import IntEnum


class Exit(IntEnum):
    """How a command ended. If several things failed, the highest number is the exit code."""

    OK = 0
    JOB_FAILED = 1
    USAGE = 2
    REFUSED = 3
    UNAVAILABLE = 4
    INTERRUPTED = 130


MEANINGS = {
    Exit.OK: "The command succeeded.",
    Exit.JOB_FAILED: "A job that the command waited for failed or was cancelled, or an audit log is not whole.",
    Exit.USAGE: "The options are invalid, or a file cannot be read or written.",
    Exit.REFUSED: "The server refused the request (4xx). It refuses the same request again.",
    Exit.UNAVAILABLE: "The server did not respond, or cannot do it now (429, 5xx). The command can succeed later.",
    Exit.INTERRUPTED: "Ctrl-C was pressed. Accepted jobs continue.",
}


EXIT_CODES_HELP = (
    "Exit codes: 0 success; 1 a job failed or was cancelled; 2 invalid usage; 3 refused by the server; "
    "4 server unavailable; 130 interrupted."
)
