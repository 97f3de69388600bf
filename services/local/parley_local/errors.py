"""What can keep the system from starting on one machine. Each message says what to do."""

from __future__ import annotations


class MachineError(Exception):
    """Base of every error that this package raises on purpose."""


class HomeInUse(MachineError):
    """Another system runs on this PARLEY_HOME."""


class PortInUse(MachineError):
    """Something else listens where the system would."""


class ServerNotFound(MachineError):
    """No Valkey or Redis to start."""


class PartFailed(MachineError):
    """A part that the others need did not come up."""


class DemoFailed(MachineError):
    """The sample was not diarized."""
