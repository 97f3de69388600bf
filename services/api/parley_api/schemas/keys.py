"""API keys: what callers send and get. A key's text is part of one response only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from parley_api.schemas import examples
from parley_api.schemas.base import Answer, GivenTime, Moment, with_example
from parley_api.schemas.voiceprints import Name

ScopeName = Literal["submit", "read", "correct", "delete", "voiceprints", "export", "share", "admin"]
WITHOUT_REPEATS = AfterValidator(lambda scopes: list(dict.fromkeys(scopes)))


@with_example(examples.NEW_KEY)
class KeyRequest(BaseModel):
    """A key to make."""

    model_config = ConfigDict(extra="forbid")

    name: Name = Field(description="What the key is for, such as the program that will use it.")
    scopes: Annotated[list[ScopeName], Field(min_length=1, max_length=20), WITHOUT_REPEATS] = Field(
        description="What the key may do. `submit`: submit, cancel, retry, send deliveries again. `read`: jobs, turns, "
        "recordings, queues, deliveries. `correct`: turns and speakers. `delete`: jobs. `voiceprints`: enrol, read, "
        "delete. `export`: speaker embeddings. `share`: links that need no key. `admin`: keys."
    )
    expires_at: GivenTime | None = Field(None, description="From then on the key is refused; null is never.")


@with_example(examples.KEY)
class KeyAnswer(Answer):
    """A key without its text."""

    id: str = Field(description="Id of the key; a part of its text.")
    name: str = Field(description="What the key is for.")
    scopes: list[ScopeName] = Field(description="What the key may do.")
    created_at: Moment = Field(description="When it was made.")
    expires_at: Moment | None = Field(description="From then on it is refused; null is never.")
    last_used_at: Moment | None = Field(description="When it was last used, to ten minutes; null if it was not.")


@with_example(examples.CREATED_KEY)
class CreatedKeyAnswer(KeyAnswer):
    """A key that was just made."""

    key: str = Field(description="The key. It cannot be read again.")


@with_example(examples.KEYS)
class KeysAnswer(Answer):
    """The keys that your tenant has made. Keys of the operator's file are not among them."""

    keys: list[KeyAnswer] = Field(description="Oldest first.")


@with_example(examples.KEY_RECEIPT)
class KeyReceiptAnswer(Answer):
    """A receipt for a revoked key."""

    key_id: str = Field(description="Id of the key.")
    revoked_at: Moment = Field(description="When it was revoked. Every process refuses it within seconds.")
