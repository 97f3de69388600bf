"""Who is asking."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from parley_api.http.errors import Unauthenticated, UnknownHost
from parley_api.runtime.dependencies import Deps
from parley_core.job import DEFAULT_TENANT
from parley_core.settings import LOOPBACK

bearer = HTTPBearer(auto_error=False, description="An API key; none is needed where the server has no keys file.")


async def authenticate(
    request: Request,
    deps: Deps,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
) -> str:
    """Return the tenant. Raises Unauthenticated, or UnknownHost where there are no keys.

    Without keys a page in somebody's browser could reach this server under a name of its own (DNS rebinding), or
    post to it from another site: only this machine's names are answered, and no other site's posts.
    """
    if deps.keys is None:
        _require_local(request)
        return DEFAULT_TENANT
    tenant = deps.keys.tenant_of(credentials.credentials) if credentials else None
    if tenant is None:
        raise Unauthenticated("Send your API key: `Authorization: Bearer <key>`.")
    return tenant


def _require_local(request: Request) -> None:
    if request.url.hostname not in LOOPBACK or request.headers.get("sec-fetch-site") == "cross-site":
        raise UnknownHost("Without API keys this server answers to this machine's own programs and pages only.")


Tenant = Annotated[str, Depends(authenticate)]
