"""Importing this module makes a process of root one of user 10001, for what it does from then on."""

from __future__ import annotations

import os

from parley_core.process import PR_SET_DUMPABLE, set_process_attribute

USER = 10001  # that of the images

os.setgroups([])
os.setgid(USER)
os.setuid(USER)
set_process_attribute(PR_SET_DUMPABLE, 1)  # as after the start of a program by that user
