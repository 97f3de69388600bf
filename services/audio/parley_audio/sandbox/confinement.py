"""What a decoding process gives up before it looks at a hostile byte: files, network, other processes."""

from __future__ import annotations

import logging
import os
from functools import cache

from parley_audio.sandbox import landlock, seccomp
from parley_core.errors import UnsafeSettings

LANDLOCK, SECCOMP = "Landlock", "seccomp filters"
logger = logging.getLogger(__name__)


@cache
def missing() -> tuple[str, ...]:
    """Return which parts of the confinement this system lacks."""
    return tuple(
        name for name, there in ((LANDLOCK, landlock.version() > 0), (SECCOMP, seccomp.available())) if not there
    )


def prepare() -> None:
    """Compute once, for all forks of this process, what does not depend on the fork."""
    landlock.version()
    if SECCOMP not in missing():
        for streams in (False, True):
            seccomp.own_filter(streams)


def require_confinement(required: bool) -> None:
    """Say at start that this system cannot confine decoders fully.

    Raises:
        UnsafeSettings: it cannot, and `required` (PARLEY_SANDBOX_REQUIRED) refuses that.
    """
    lacking = " and ".join(missing())
    if not lacking:
        return
    if required:
        raise UnsafeSettings(
            f"This system has no support for {lacking}, so that a decoder that a recording has taken over would reach "
            "files, network and other processes. Use Linux 5.13 or later on x86-64 or ARM with both enabled, or set "
            "PARLEY_SANDBOX_REQUIRED=false to accept limits on time and memory alone."
        )
    logger.warning("Decoders run without %s: set PARLEY_SANDBOX_REQUIRED=true to refuse that.", lacking)


def give_up_reach(streams: bool = False) -> None:
    """Keep the open descriptors and memory, and give up everything else for good, as far as this system can.

    Args:
        streams: the open descriptors are connections and pipes, which are read.

    Needs `PR_SET_NO_NEW_PRIVS`. Standard error becomes standard output, which leads nowhere: it is the owner's log.
    """
    os.dup2(1, 2)
    if LANDLOCK not in missing():
        landlock.restrict()
    if SECCOMP not in missing():
        seccomp.restrict(streams)
