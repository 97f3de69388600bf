"""What routes ask the framework for: the ports, the caller's tenant, the job of the path."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Depends, Path, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from structlog.contextvars import bind_contextvars

from parley_api.http.audit_trail import ACTOR
from parley_api.http.errors import ExpiredKey, ScopeMissing, Unauthenticated, UnknownHost, UnknownKey
from parley_api.runtime.dependencies import Dependencies
from parley_api.runtime.keys import ApiKey, Scope
from parley_api.runtime.tenant_limits import Rate
from parley_api.schemas.examples import JOB_ID
from parley_api.schemas.queries import NoParameters
from parley_api.use_cases.job_lookup import find
from parley_core.job import DEFAULT_TENANT, Job
from parley_core.listening import LOOPBACK

UNKNOWN_KEY_SECONDS = 0.5  # a connection that tries keys gets two a second

bearer = HTTPBearer(auto_error=False, description="An API key of your tenant.")


async def dependencies(request: Request) -> Dependencies:
    """Return the application's ports and state."""
    deps: Dependencies = request.app.state.deps
    return deps


Deps = Annotated[Dependencies, Depends(dependencies)]


async def authenticate(
    request: Request,
    deps: Deps,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> ApiKey:
    """Return the caller's key, or what a signed token stands for.

    Without a keys file, a web page in a browser on this machine could reach the server under a name of its own (DNS
    rebinding) or send requests from another site. So only the names of this machine are served, and no requests from
    other sites.

    Raises:
        Unauthenticated: no key. UnknownKey, ExpiredKey: a wrong one.
        UnknownHost: the server has no keys, and the request does not come from this machine.
        ObjectStoreUnavailable: the key cannot be looked up.
        RateLimited: the tenant has made as many requests as it may.
    """
    if deps.keys is None:
        if request.url.hostname not in LOOPBACK or request.headers.get("sec-fetch-site") == "cross-site":
            raise UnknownHost("Without API keys this server answers to programs and pages of this machine only.")
        bind_contextvars(tenant=DEFAULT_TENANT)
        request.scope[ACTOR] = {"tenant": DEFAULT_TENANT}
        return ApiKey(DEFAULT_TENANT, "")
    if credentials is None or not credentials.credentials:
        raise Unauthenticated("Send your API key: `Authorization: Bearer <key>`.")
    text = credentials.credentials
    key = deps.keys.find(text)
    if key is None and deps.tokens is not None:
        key = deps.tokens.find(text)
    if key is None:
        key = await deps.blocking.objects(deps.stored_keys.find, text)
    if key is None:
        deps.http_metrics.refuse("unknown_key")
        await asyncio.sleep(UNKNOWN_KEY_SECONDS)
        raise UnknownKey("The server does not know this API key.")
    deps.expiries.note(key)
    if key.expired:
        raise ExpiredKey("The time of this API key is over.")
    bind_contextvars(tenant=key.tenant)
    await deps.limits.take(key.tenant, Rate.REQUESTS, request.scope)
    request.scope[ACTOR] = {"tenant": key.tenant, "key": key.id or key.sha256[:12] or key.subject}
    return key


Caller = Annotated[ApiKey, Depends(authenticate)]


async def tenant_of(caller: Caller) -> str:
    """Return the caller's tenant."""
    return caller.tenant


Tenant = Annotated[str, Depends(tenant_of)]


def needs(scope: Scope) -> list[Any]:
    """Return the dependencies of a route that only keys with this scope may call."""

    async def require(caller: Caller) -> None:
        require_scope(caller, scope)

    return [Depends(require)]


def require_scope(caller: ApiKey, scope: Scope) -> None:
    """Raise ScopeMissing unless the key has the scope."""
    if scope not in caller.scopes:
        raise ScopeMissing(f"This API key does not have the scope `{scope}`.")


async def job_of_path(
    job_id: Annotated[str, Path(description="Id of the job.", examples=[JOB_ID])], deps: Deps, tenant: Tenant
) -> Job:
    """Return the tenant's job. Raises what `find` raises."""
    job = await find(deps, tenant, job_id)
    bind_contextvars(job_id=job.id, trace_id=job.trace_id)
    return job


FoundJob = Annotated[Job, Depends(job_of_path)]


NoQuery = Annotated[NoParameters, Query()]
"""The call takes no query parameters; unknown ones are refused."""
