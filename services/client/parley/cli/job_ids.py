"""Job ids as people type and read them: by prefixes.

A job id is a UUIDv7 (RFC 9562, 5.7): its first 13 characters are the time of the submit in milliseconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice

from parley import Parley
from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed

ID_LENGTH = 36
SHORT_LENGTH = 13
MIN_PREFIX = 4  # an empty variable in `parley delete "$ID"` must not mean the only job there is
MAX_CANDIDATES = 10


def distinct_length(ids: Sequence[str]) -> int:
    """Return the length of a prefix that tells each id from the others, at least 13 characters."""
    lengths = range(SHORT_LENGTH, ID_LENGTH)
    return next((length for length in lengths if len({each[:length] for each in ids}) == len(set(ids))), ID_LENGTH)


def resolve(parley: Parley, prefix: str) -> str:
    """Return the id of the job that begins with a prefix.

    Raises:
        CommandFailed: there is no such job, or more than one.
    """
    if len(prefix) >= ID_LENGTH:
        return prefix
    if len(prefix) < MIN_PREFIX:
        detail = f"{prefix!r} is too short for a job id. Give at least {MIN_PREFIX} characters."
        raise CommandFailed(Exit.USAGE, "invalid_usage", detail)
    found = list(islice(parley.jobs(id_prefix=prefix), MAX_CANDIDATES + 1))
    if not found:
        raise CommandFailed(Exit.REFUSED, "job_not_found", f"No job has an id that begins with {prefix}.")
    if len(found) == 1:
        return found[0].id
    candidates = found[:MAX_CANDIDATES]
    lines = [f"Several jobs have ids that begin with {prefix}. Give more characters:"]
    lines += [f"  {job.id}  {job.state}  {job.recording.file_name or ''}".rstrip() for job in candidates]
    if len(found) > MAX_CANDIDATES:
        lines.append("  ...")
    raise CommandFailed(Exit.USAGE, "ambiguous_id", "\n".join(lines), candidates=[job.id for job in candidates])
