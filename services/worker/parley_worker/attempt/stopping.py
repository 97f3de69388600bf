"""How an attempt ends whose worker was told to stop."""

from __future__ import annotations

from parley_core.errors import AttemptEnded


class WorkerStopping(AttemptEnded):
    """The worker was told to stop, so the attempt gives its job back."""

    code = "worker_stopping"
