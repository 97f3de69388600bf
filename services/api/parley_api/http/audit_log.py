"""The audit log: events as JSON lines, appended to standard output or to a file a day, each chained to the one before.

The hash of a line is SHA-256 over the hash of the line before it in its chain, and the line without its own. A line
that is changed, removed or put in between breaks the chain; `parley audit` finds where. A process has one chain.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from parley_core import __version__
from parley_core.logs import get_logger
from parley_core.settings import Settings

STANDARD_OUTPUT = 1
FILE = re.compile(r"audit-(?P<day>\d{4}-\d\d-\d\d)-[0-9a-f]{12}\.jsonl")
NO_HASH = "0" * 64  # before the first line of a chain

log = get_logger(__name__)


class AuditLog(Collector):
    """Writes events before the response leaves, and counts those that cannot be written.

    Args:
        folder: of a file a day; None writes to standard output.
        retain_days: age in days after which files are removed.
        required: requests are refused while nothing can be written.
    """

    def __init__(self, folder: Path | None = None, retain_days: int = 365, required: bool = False) -> None:
        self.required = required
        self.writable = True
        self._chain, self._hash = secrets.token_hex(6), NO_HASH
        self._sequence = self._lost = self._written = self._failures = 0
        self._sink = _Files(folder, retain_days, self._chain) if folder else _StandardOutput()

    @classmethod
    def from_settings(cls, settings: Settings) -> AuditLog:
        """Return the log that the settings ask for. Nothing is opened before the first event."""
        return cls(settings.audit_folder, settings.audit_retain_days, settings.audit_required)

    def note_start(self, settings: Settings) -> None:
        """Write the event of a start, with the settings that protect data and a fingerprint of all but the secrets."""
        values = settings.model_dump(mode="json")  # secrets become asterisks
        fingerprint = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()
        self.write(
            "process.start",
            version=__version__,
            settings_sha256=fingerprint,
            api_keys=settings.api_keys_file is not None,
            signed_tokens=settings.token_issuers_file is not None,
            audit_required=settings.audit_required,
            sandbox_required=settings.sandbox_required,
            voiceprint_consent_required=settings.voiceprint_consent_required,
            retain_seconds=settings.retain_seconds,
            longest_share_seconds=settings.longest_share_seconds,
        )

    def is_writable(self) -> bool:
        """Return whether events can be written. After a failure, an event is tried."""
        return self.writable or self.write("audit.resume")

    def write(self, action: str, **members: str | int | None) -> bool:
        """Append an event; return whether it was written. Members that are None are left out."""
        now = datetime.now(UTC)
        self._sequence += 1
        event: dict[str, str | int] = {"log": "audit", "time": now.isoformat(timespec="milliseconds")}
        event |= {"chain": self._chain, "sequence": self._sequence, "action": action}
        event |= {name: value for name, value in members.items() if value is not None}
        if self._lost:
            event["lost"] = self._lost
        text = json.dumps(event, separators=(",", ":"))
        digest = hashlib.sha256((self._hash + text).encode()).hexdigest()
        try:
            self._sink.append(f'{text[:-1]},"hash":"{digest}"}}\n'.encode(), now.date())
        except OSError as error:
            self._note_failure(error)
            return False
        self._hash, self._lost = digest, 0
        self._written += 1
        if not self.writable:
            self.writable = True
            log.info("the audit log is written again")
        return True

    def _note_failure(self, error: OSError) -> None:
        self._failures += 1
        self._lost += 1
        if self.writable:
            self.writable = False
            log.error("the audit log cannot be written", error=type(error).__name__, errno=error.errno)

    def collect(self) -> Iterator[Metric]:
        """Yield what this process has written and lost."""
        yield CounterMetricFamily("parley_audit_events", "Events written to the audit log.", value=self._written)
        yield CounterMetricFamily(
            "parley_audit_failures", "Events that could not be written to the audit log.", value=self._failures
        )
        yield GaugeMetricFamily(
            "parley_audit_writable", "1 unless the last event could not be written.", value=self.writable
        )


class _StandardOutput:
    def __init__(self) -> None:
        self._torn = False

    def append(self, line: bytes, day: date) -> None:
        """Write a line; after one that was cut off, begin a new one first."""
        rest = b"\n" + line if self._torn else line
        self._torn = True
        while rest:
            rest = rest[os.write(STANDARD_OUTPUT, rest) :]
        self._torn = False


class _Files:
    """A file a day, removed some days after."""

    def __init__(self, folder: Path, retain_days: int, chain: str) -> None:
        self._folder, self._retain_days, self._chain = folder, retain_days, chain
        self._day: date | None = None
        self._file = -1

    def append(self, line: bytes, day: date) -> None:
        """Write a line, or nothing of it."""
        if day != self._day or os.fstat(self._file).st_nlink == 0:  # nobody reads a file that was removed
            self._open(day)
        written = os.write(self._file, line)
        if written < len(line):
            os.ftruncate(self._file, os.fstat(self._file).st_size - written)
            raise OSError("the disk is full")

    def _open(self, day: date) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        name = f"audit-{day.isoformat()}-{self._chain}.jsonl"
        opened = os.open(self._folder / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        if self._file >= 0:
            os.close(self._file)
        self._file, self._day = opened, day
        self._remove_old(day - timedelta(days=self._retain_days))

    def _remove_old(self, before: date) -> None:
        for path in self._folder.iterdir():
            found = FILE.fullmatch(path.name)
            if found and found["day"] < before.isoformat():
                path.unlink(missing_ok=True)
                log.info("audit file removed, its retention is over", day=found["day"])
