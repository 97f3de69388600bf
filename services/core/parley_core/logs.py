"""Logs of a process: one JSON object a line, or text for people. Never a reference, a file name, audio or a result.

Each line has `timestamp`, `level`, `service`, `logger` and `event`; a line about a job also has `job_id`, `tenant` and
`trace_id`, and one of an attempt `attempt`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_SHARED: list[Any] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.StackInfoRenderer(),
]


def configure_logs(service: str, log_format: str = "json", level: str = "INFO") -> None:
    """Send every log line of this process, ours and the libraries', to standard error.

    Args:
        service: name of this process in each line.
        log_format: `json` or `text`.
    """

    def add_service(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["service"] = service
        return event

    as_text = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    as_json = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=_SHARED,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                add_service,
                *(as_text if log_format == "text" else as_json),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[*_SHARED, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )


def get_logger(name: str) -> Any:
    """Return a logger: `log.info("job started", job_id=...)`."""
    return structlog.stdlib.get_logger(name)
