"""API keys of the caller's tenant."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response

from parley_api.http.errors import BodyStalled, BodyTooLarge, KeyNotFound, KeysOff, TooManyKeys, UnsupportedBody
from parley_api.http.openapi import KEY_CALL, problems
from parley_api.intake.json_body import read_json
from parley_api.routes.context import Caller, Deps, NoQuery, Tenant, needs
from parley_api.runtime.keys import Scope
from parley_api.runtime.stored_keys import StoredKey
from parley_api.schemas import CreatedKeyAnswer, KeyAnswer, KeyReceiptAnswer, KeyRequest, KeysAnswer
from parley_core.errors import ObjectStoreUnavailable
from parley_core.logs import get_logger

router = APIRouter(prefix="/v1/keys", tags=["keys"], dependencies=needs(Scope.ADMIN))
log = get_logger(__name__)


def _members(stored: StoredKey) -> dict[str, object]:
    return {
        "id": stored.id,
        "name": stored.name,
        "scopes": sorted(stored.key.scopes),
        "created_at": stored.created_at,
        "expires_at": stored.key.expires_at,
        "last_used_at": stored.last_used_at,
    }


@router.post(
    "",
    status_code=201,
    summary="Make an API key",
    openapi_extra=KEY_CALL,
    responses=problems(TooManyKeys, KeysOff, BodyTooLarge, BodyStalled, UnsupportedBody, ObjectStoreUnavailable),
)
async def create_key(
    request: Request, response: Response, query: NoQuery, deps: Deps, caller: Caller
) -> CreatedKeyAnswer:
    """Make an API key of your tenant. The response is the only place where its text is."""
    if deps.keys is None:
        raise KeysOff("This server has no API keys, so it needs none.")
    asked = await read_json(request, KeyRequest)
    scopes = frozenset(Scope(name) for name in asked.scopes)
    create = deps.stored_keys.create
    stored, text = await deps.blocking.objects(create, caller.tenant, asked.name, scopes, asked.expires_at)
    log.info("API key made", key_id=stored.id)
    response.headers["Location"] = f"/v1/keys/{stored.id}"
    return CreatedKeyAnswer.model_validate({**_members(stored), "key": text})


@router.get("", summary="List API keys", responses=problems(ObjectStoreUnavailable))
async def list_keys(query: NoQuery, deps: Deps, tenant: Tenant) -> KeysAnswer:
    """Return the API keys that your tenant has made, oldest first."""
    found = await deps.blocking.objects(deps.stored_keys.of_tenant, tenant)
    return KeysAnswer(keys=[KeyAnswer.model_validate(_members(stored)) for stored in found])


@router.delete("/{key_id}", summary="Revoke an API key", responses=problems(KeyNotFound, ObjectStoreUnavailable))
async def revoke_key(
    key_id: Annotated[str, Path(description="Id of the key.", examples=["3f9a1c07d2be"])],
    query: NoQuery,
    deps: Deps,
    tenant: Tenant,
) -> KeyReceiptAnswer:
    """Revoke an API key. Every process refuses it within five seconds."""
    await deps.blocking.objects(deps.stored_keys.revoke, tenant, key_id)
    log.info("API key revoked", key_id=key_id)
    return KeyReceiptAnswer(key_id=key_id, revoked_at=datetime.now(UTC))
