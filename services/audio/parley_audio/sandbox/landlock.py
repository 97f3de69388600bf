"""Landlock without a rule: this process opens no file, connects nowhere and signals nobody outside (Linux 5.13)."""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from functools import cache

from parley_audio.sandbox.system_call import system_call

# landlock(7); the numbers are the same on every architecture
CREATE_RULESET, RESTRICT_SELF = 444, 446
VERSION_FLAG = 1
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 5: 16}  # from this version on, so many rights on files exist, one bit each
CONNECT_AND_BIND_TCP = 0b11  # from version 4 on
ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # from version 6 on


@cache
def version() -> int:
    """Return the version of Landlock that this kernel has, 0 if it has none or does not use it."""
    if sys.platform != "linux":
        return 0
    try:
        return system_call(CREATE_RULESET, None, 0, VERSION_FLAG)
    except OSError:
        return 0


def restrict() -> None:
    """Take every right that Landlock knows from this process for good; descriptors that are open stay usable.

    Needs `PR_SET_NO_NEW_PRIVS`. Raises OSError.
    """
    known = version()
    files = (1 << max(bits for since, bits in FILE_RIGHTS.items() if since <= known)) - 1
    handled = struct.pack("<Q", files)
    if known >= 4:
        handled += struct.pack("<Q", CONNECT_AND_BIND_TCP)
    if known >= 6:
        handled += struct.pack("<Q", ABSTRACT_SOCKETS_AND_SIGNALS)
    ruleset = system_call(CREATE_RULESET, ctypes.create_string_buffer(handled, len(handled)), len(handled), 0)
    system_call(RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)
