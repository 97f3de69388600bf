"""Stores a recording that the caller names instead of sending it: a link, or an upload that has arrived in parts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from parley_api.http.errors import LinkChanged, TooManyUploads
from parley_api.intake.open_upload import taken
from parley_api.intake.upload import Upload, add_option, stored, valid_options
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.tenant_slots import slot_or_refusal
from parley_api.schemas import SubmitOptions
from parley_api.schemas.links import LinkBody, options_in

TOO_MANY_FETCHES = "Too many recordings are fetched at a time. Send this link again later."
FETCH_WAIT_SECONDS = 10.0  # for a slot


@asynccontextmanager
async def named(
    body: LinkBody, query: Iterable[tuple[str, str]], deps: Dependencies, tenant: str, key: str
) -> AsyncIterator[tuple[Upload, SubmitOptions]]:
    """Fetch and store the recording that a body names; discard it at the end unless a job owns it.

    Args:
        query: further options.
        key: where to store the recording.

    Raises:
        InvalidRequest, RequestValidationError: an option is wrong. Raised before anything is fetched.
        QueueFull: before the recording is received.
        RecordingError: by its subclasses; see `stored`.
        LinkNotAllowed, LinkUnreachable, LinkUnusable, LinkChanged: the recording cannot be fetched.
        UploadNotFound, UploadExpired, UploadIncomplete: the body names an upload that cannot be taken.
        ObjectStoreUnavailable: the recording cannot be stored.
    """
    options = options_of(body, query, deps, tenant)
    async with _opened(deps, tenant, body) as (chunks, file_name):
        await deps.admission.require_room(options.queue)
        async with stored(chunks, key, file_name, deps) as upload:
            if body.sha256 is not None and body.sha256.lower() != upload.sha256:
                raise LinkChanged("The recording has another SHA-256 than `sha256`.")
            yield upload, options


def options_of(body: LinkBody, query: Iterable[tuple[str, str]], deps: Dependencies, tenant: str) -> SubmitOptions:
    """Return the options of a submit that names its recording. Raises InvalidRequest or RequestValidationError."""
    values: dict[str, str] = {}
    for name, value in (*query, *options_in(body)):
        add_option(values, name, value, SubmitOptions)
    return valid_options(deps, tenant, SubmitOptions, values)


@asynccontextmanager
async def _opened(
    deps: Dependencies, tenant: str, body: LinkBody
) -> AsyncIterator[tuple[AsyncIterator[bytes], str | None]]:
    """Give the bytes and the file name of the recording that a body names."""
    if body.upload is not None:
        async with taken(deps, tenant, body.upload) as (upload, chunks):
            yield chunks, upload.file_name
        return
    refusal, count = TooManyUploads(TOO_MANY_FETCHES), deps.http_metrics.refuse
    async with slot_or_refusal(deps.fetches, tenant, FETCH_WAIT_SECONDS, refusal, count):
        link = await deps.blocking.objects(deps.links.of, tenant, body)
        async with deps.fetcher.opened(link) as chunks:
            yield chunks, link.name
