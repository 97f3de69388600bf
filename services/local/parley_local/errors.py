"""Errors at the start of the system on one machine. Each message says what to do."""

from __future__ import annotations


class MachineError(Exception):
    """Base class of the errors of this package."""


class HomeInUse(MachineError):
    """Another system uses this PARLEY_HOME."""


class HomeUnusable(MachineError):
    """PARLEY_HOME is no folder that can be written."""


class PortInUse(MachineError):
    """Another process listens on a port of the system."""


class ServerNotFound(MachineError):
    """Neither Valkey nor Redis is installed."""


class PartFailed(MachineError):
    """A part that the others need did not start."""


class DemoFailed(MachineError):
    """The sample was not diarized."""
