"""How a command fails: a sentence on stderr, with --json also a JSON object on stdout, and an exit code."""

from __future__ import annotations

from typing import Any

import typer

from parley.cli.exit_codes import Exit
from parley.errors import ParleyApiError, ParleyClientError, ParleyUnavailable

ERROR_CODES = {
    "ambiguous_id": "Several jobs have ids that begin like this; `candidates` has their ids.",
    "audit_broken": "An event of an audit log was changed or is missing.",
    "connection_failed": "The server did not respond.",
    "file_error": "A file cannot be read or written.",
    "interrupted": "Ctrl-C was pressed. `jobs` has the ids of the accepted jobs, which continue.",
    "invalid_usage": "The options or arguments are invalid.",
    "job_failed": "The job of the recording failed or was cancelled.",
    "job_not_found": "No job has this id, or an id that begins like this.",
    "no_speech": "Nobody speaks in the recording.",
    "not_confirmed": "The command asks for confirmation, and there was no answer.",
    "several_speakers": "More than one person speaks in the recording of an enrolment; `speakers` has their labels.",
    "job_store_unavailable": "Redis does not answer.",
    "object_store_unavailable": "The object store does not answer.",
    "unexpected_response": "The response does not come from Parley.",
    "voiceprint_name_taken": "The name is enrolled already.",
    "words_not_asked_for": "Nobody asks for the words of the job: the request is gone. Ask again.",
}
"""The codes of errors that the command finds itself, with their meanings; all others are codes of the server."""


class CommandFailed(Exception):  # noqa: N818 - says what happened, like the errors of the library
    """The command ends here.

    Args:
        exit_code: the exit code.
        code: stable name, for programs.
        detail: a sentence, for people.
        members: further members of the JSON object.
    """

    def __init__(self, exit_code: Exit, code: str, detail: str, **members: object) -> None:
        super().__init__(detail)
        self.exit_code = exit_code
        self.code = code
        self.members = members


FAILURES = (CommandFailed, ParleyClientError, OSError, typer.TyperException)
"""Every error that ends a command with a sentence. Any other one is a defect and ends it with a traceback."""


RULES = {
    "int_parsing": "must be a whole number.",
    "float_parsing": "must be a number.",
    "greater_than_equal": "must be at least {ge}.",
    "less_than_equal": "must be at most {le}.",
    "greater_than": "must be greater than {gt}.",
    "less_than": "must be less than {lt}.",
    "value_error": "{error}",
}
"""Pydantic's kind of error, which typer passes on in pydantic's words, to ours."""


def plain_message(error: typer.BadParameter) -> str:
    """Return the message of an invalid value of an option, without the wording of a library."""
    found: list[dict[str, Any]] = getattr(error.__cause__, "errors", list)()
    if not found or found[0]["type"] not in RULES:
        return error.message
    return RULES[found[0]["type"]].format(**found[0].get("ctx", {}))


def exit_code_of(error: Exception) -> Exit:
    """Return the exit code for an error."""
    if isinstance(error, CommandFailed):
        return error.exit_code
    if isinstance(error, ParleyApiError) and not isinstance(error, ParleyUnavailable):
        return Exit.REFUSED
    return Exit.UNAVAILABLE if isinstance(error, ParleyClientError) else Exit.USAGE


def error_document(error: Exception) -> dict[str, Any]:
    """Return an error as a JSON object with at least `code` and `detail`."""
    if isinstance(error, ParleyApiError):
        members = {"status": error.status, "retry_after": error.retry_after}
        return {"code": error.code, "detail": error.detail} | members
    if isinstance(error, CommandFailed):
        return {"code": error.code, "detail": str(error)} | error.members
    if isinstance(error, ParleyClientError):
        return {"code": error.code, "detail": str(error)}
    code = "invalid_usage" if isinstance(error, typer.TyperException) else "file_error"
    return {"code": code, "detail": sentence(error)}


def report(error: Exception, *, as_json: bool) -> Exit:
    """Print why the command failed, and return its exit code."""
    from parley.cli.terminal import Terminal  # imports rich, which invalid options do not need

    terminal = Terminal()
    if as_json:
        terminal.print_json({"error": error_document(error)})
    terminal.say(sentence(error), "red")
    return exit_code_of(error)


def sentence(error: Exception) -> str:
    """Return what went wrong, for people."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}." if error.filename else f"{error.strerror}."
    return error.format_message() if isinstance(error, typer.TyperException) else str(error)
