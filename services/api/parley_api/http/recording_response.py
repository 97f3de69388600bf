"""A stored recording as an answer, whole or in ranges."""

from __future__ import annotations

from contextlib import ExitStack

from fastapi.responses import FileResponse
from starlette.datastructures import Headers
from starlette.types import Message, Receive, Scope, Send

from parley_api.http.problems import problem
from parley_api.runtime.dependencies import Dependencies
from parley_core.job import Job


class RecordingResponse(FileResponse):
    """A stored recording, with ranges; what `fetch` lent is given back when the answer ends, however it ends."""

    def __init__(self, deps: Dependencies, job: Job) -> None:
        self._deps, self._key, self._lent = deps, job.recording.key, ExitStack()
        headers = {"ETag": f'"{job.recording.sha256}"'}
        super().__init__("", media_type=job.recording.media_type, headers=headers, filename=job.id)

    async def lend(self) -> None:
        """Get the file. Raises KeyError when it is gone."""
        self.path = await self._deps.calls.objects(self._lent.enter_context, self._deps.recordings.fetch(self._key))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, _RangeProblems(scope, receive, send))
        finally:
            self._lent.close()


class _RangeProblems:
    """Answers a problem where starlette answers a wrong `Range` in plain text."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._scope, self._receive, self._send = scope, receive, send
        self._refused = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] in (400, 416):
            self._refused = True
            await self._refuse(message)
        elif not self._refused:
            await self._send(message)

    async def _refuse(self, message: Message) -> None:
        size = Headers(raw=message["headers"]).get("content-range")
        headers = {"Content-Range": size} if size else None
        answer = problem(message["status"], "invalid_range", "`Range` asks for bytes that are not there.", headers)
        await answer(self._scope, self._receive, self._send)
