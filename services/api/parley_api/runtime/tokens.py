"""Signed tokens of other issuers: a program that has one needs no API key.

A ServiceAccount token of the cluster, or a token of the hospital's OpenID provider, is verified offline against the
public keys that the operator has written into a file. A table maps its subject to a tenant and scopes.
"""

from __future__ import annotations

import hashlib
import math
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from parley_api.http.errors import ExpiredKey
from parley_api.runtime.keys import RELOAD_SECONDS, ApiKey, Scope
from parley_core.errors import UnsafeSettings
from parley_core.logs import get_logger

log = get_logger(__name__)

# Signatures alone: with an algorithm of shared secrets, a public key would be the secret.
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"]
ASYMMETRIC = frozenset({"RSA", "EC", "OKP"})
LEEWAY_SECONDS = 30  # between the clocks of the issuer and of this server
LONGEST_TOKEN = 16_384  # characters
LAST_MOMENT = 32_503_680_000.0  # the year 3000: what is later is no date in Python


class Subject(BaseModel):
    """What the bearer of a token may do."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tenant: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    scopes: frozenset[Scope] = Field(min_length=1)


class Issuer(BaseModel):
    """One issuer of tokens.

    Attributes:
        issuer: the claim `iss` of its tokens.
        audience: one of the claim `aud`: tokens for other services are refused.
        jwks: its public keys, as a JSON Web Key Set.
        subjects: by the claim `sub`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(min_length=1)
    audience: str = Field(min_length=1)
    jwks: dict[str, Any]
    subjects: dict[str, Subject]


class Tokens:
    """The issuers of a file, reloaded when it changes. A file that cannot be read or parsed changes nothing.

    Raises:
        UnsafeSettings: at the start, for a file that cannot be read or parsed.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text: str | None = None
        self._checked = time.monotonic()
        self._load()

    def find(self, text: str) -> ApiKey | None:
        """Return what the bearer of a token may do; None for a token that no issuer of the file has signed for Parley.

        Raises:
            ExpiredKey: the token is sound, and its time is over.
        """
        if text.count(".") != 2 or len(text) > LONGEST_TOKEN:
            return None
        self._reload()
        return next((key for issuer, keys in self._issuers if (key := _verified(text, issuer, keys))), None)

    def _reload(self) -> None:
        if time.monotonic() - self._checked < RELOAD_SECONDS:
            return
        self._checked = time.monotonic()
        try:
            self._load()
        except UnsafeSettings as error:
            log.error("issuers of tokens not reloaded; the old ones stay valid", error=error.detail)

    def _load(self) -> None:
        try:
            text = self._path.read_text()
            if text == self._text:
                return
            issuers = TypeAdapter(list[Issuer]).validate_json(text)
            self._issuers = [(issuer, _public_keys(issuer)) for issuer in issuers]
            self._text = text
        except (OSError, UnicodeDecodeError) as error:
            raise UnsafeSettings(f"The issuers file cannot be read ({type(error).__name__}).") from error
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors()[0]["loc"])
            raise UnsafeSettings(f"The issuers file is not as the documentation says at `{where}`.") from error


def _public_keys(issuer: Issuer) -> KeySet:
    try:
        keys = KeySet.import_key_set(issuer.jwks)  # type: ignore[arg-type]
    except (JoseError, ValueError, KeyError, TypeError) as error:
        raise UnsafeSettings(f"The keys of the issuer {issuer.issuer} are no JSON Web Key Set.") from error
    if not keys.keys or any(key.key_type not in ASYMMETRIC or key.is_private for key in keys.keys):
        raise UnsafeSettings(f"The keys of the issuer {issuer.issuer} must be public keys, at least one.")
    return keys


def _verified(text: str, issuer: Issuer, keys: KeySet) -> ApiKey | None:
    """Return what the bearer may do if this issuer has signed the token for Parley."""
    try:
        claims = jwt.decode(text, keys, algorithms=ALGORITHMS).claims
    except (JoseError, ValueError, KeyError, TypeError):
        return None
    audience, subject = claims.get("aud"), claims.get("sub")
    audiences = audience if isinstance(audience, list) else [audience]
    expires, begins = _moment(claims, "exp"), _moment(claims, "nbf", 0.0)
    if claims.get("iss") != issuer.issuer or issuer.audience not in audiences or expires is None or begins is None:
        return None
    if not isinstance(subject, str) or subject not in issuer.subjects or begins > time.time() + LEEWAY_SECONDS:
        return None
    if expires + LEEWAY_SECONDS <= time.time():
        raise ExpiredKey("The time of this token is over. Send a new one.")
    may = issuer.subjects[subject]
    ends, digest = datetime.fromtimestamp(expires + LEEWAY_SECONDS, UTC), subject_digest(issuer.issuer, subject)
    return ApiKey(may.tenant, "", may.scopes, ends, subject=digest)


def subject_digest(issuer: str, subject: str) -> str:
    """Return how the audit log names the bearer of a token, whose subject may be a name: `token-` and twelve digits."""
    return f"token-{hashlib.sha256(f'{issuer} {subject}'.encode()).hexdigest()[:12]}"


def _moment(claims: dict[str, Any], name: str, otherwise: float | None = None) -> float | None:
    """Return a time in seconds since 1970; None where it is no number."""
    value = claims.get(name, otherwise)
    if not isinstance(value, int | float) or isinstance(value, bool):
        return None
    moment = float(min(value, LAST_MOMENT))
    return None if math.isnan(moment) else moment
