"""A real Alertmanager, and receivers of its messages in the shapes of PagerDuty and Slack."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from tests.support.api_process import free_port
from tests.support.receivers import Receiver
from tests.support.waiting import HANG_SECONDS, until


class Alertmanager:
    """One Alertmanager with this configuration, for as long as the context lasts."""

    def __init__(self, program: str, folder: Path, configuration: str) -> None:
        file = folder / "alertmanager.yml"
        file.write_text(configuration)
        self.address = f"127.0.0.1:{free_port()}"
        self._command = [program, f"--config.file={file}", f"--web.listen-address={self.address}"]
        self._command += [f"--storage.path={folder}/alertmanager", "--cluster.listen-address="]
        self._log = folder / "alertmanager.log"

    def __enter__(self) -> Self:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        try:
            until(self._is_ready, what="Alertmanager does not answer")
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def _stop(self) -> None:
        self._process.kill()
        self._process.wait(HANG_SECONDS)

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()[-2000:]
        try:
            return httpx.get(f"http://{self.address}/-/ready").is_success
        except httpx.TransportError:
            return False

    def alerts(self, **states: bool) -> set[str]:
        """Return the names of the alerts in these states: active, inhibited, silenced."""
        asked = {"active": False, "inhibited": False, "silenced": False} | states
        parameters = {name: str(value).lower() for name, value in asked.items()}
        answer = httpx.get(f"http://{self.address}/api/v2/alerts", params=parameters).raise_for_status()
        return {alert["labels"]["alertname"] for alert in answer.json()}


def pages(receiver: Receiver) -> Iterator[tuple[str, str]]:
    """Yield what PagerDuty's Events API got: the action and the incident's key."""
    for received in receiver.received:
        event: Any = json.loads(received.body)
        yield event["event_action"], event["dedup_key"]


def messages(receiver: Receiver) -> Iterator[str]:
    """Yield the titles of what a Slack webhook got."""
    for received in receiver.received:
        yield json.loads(received.body)["attachments"][0]["title"]
