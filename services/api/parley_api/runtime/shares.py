"""Shared links: each opens the timeline of one job for somebody without an API key, for a limited time.

    results/<day>/<job id>/shares/<id>.json    hash of the link, its expiry, and whether it plays the recording

They lie with the results of their job, so that a purge removes them. A link is `ps_<job id>_<secret>`: the job id says
where to look, and the secret of 256 bits is compared by its hash.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from parley_api.http.errors import ExpiredLink, InvalidOption, ShareNotFound, SharingOff, TooManyShares, UnknownLink
from parley_core.errors import JobPurged
from parley_core.ports import RecordingStore
from parley_core.recording import result_folder

MOST_SHARES = 50  # per job
LINK = re.compile(r"ps_(?P<job>[0-9a-f]{32})_[A-Za-z0-9_-]{43}")
SHARE_ID = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class Share:
    """A shared link without its secret.

    Attributes:
        id: the beginning of `sha256`.
        sha256: of the whole link text, in hex.
        audio: the link plays the recording too.
    """

    id: str
    job_id: str
    sha256: str
    audio: bool
    created_at: datetime
    expires_at: datetime


class Shares:
    """Shared links in an object store. Calls block; each raises ObjectStoreUnavailable.

    Args:
        longest_seconds: longest life of a link, also of those that were made under a longer limit; 0 is none.
    """

    def __init__(self, objects: RecordingStore, longest_seconds: int) -> None:
        self._objects = objects
        self._longest = timedelta(seconds=longest_seconds)

    def create(self, job_id: str, seconds: int, audio: bool, is_purged: Callable[[], bool]) -> tuple[Share, str]:
        """Make a link; return it and its text, which nobody can read again.

        Args:
            seconds: its life.
            is_purged: says whether the job is being deleted. It is asked after the write: then either the deletion sees
                the object, or this call sees the deletion and removes the object.

        Raises:
            SharingOff: this server makes no links.
            InvalidOption: the life is longer than the server allows.
            TooManyShares: the job has as many links as it may.
            JobPurged: the job is being deleted.
        """
        if not self._longest:
            raise SharingOff("This server shares no recordings by link.")
        if timedelta(seconds=seconds) > self._longest:
            longest = int(self._longest.total_seconds())
            raise InvalidOption(f"`seconds` must be at most {longest} on this server.")
        if len(self.of_job(job_id)) >= MOST_SHARES:
            raise TooManyShares(f"A job has at most {MOST_SHARES} links. Revoke those that nobody uses.")
        text = f"ps_{UUID(job_id).hex}_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC)
        digest = hashlib.sha256(text.encode()).hexdigest()
        share = Share(digest[:16], job_id, digest, audio, now, now + timedelta(seconds=seconds))
        self._objects.put(_key(job_id, share.id), _to_json(share))
        if is_purged():
            self._objects.delete(_key(job_id, share.id))
            raise JobPurged("The job is being deleted.")
        return share, text

    def find(self, text: str) -> Share:
        """Return the link with this text.

        Raises:
            UnknownLink: there is none, or no longer: it was revoked, its job was deleted, or sharing is off.
            ExpiredLink: its time is over.
        """
        parsed = LINK.fullmatch(text)
        digest = hashlib.sha256(text.encode()).hexdigest()
        share = self._read(str(UUID(hex=parsed["job"])), digest[:16]) if parsed and self._longest else None
        if share is None or not hmac.compare_digest(share.sha256, digest):
            raise UnknownLink("This link opens nothing. It was revoked, or the recording was deleted.")
        if share.expires_at <= datetime.now(UTC):
            raise ExpiredLink("The time of this link is over. Ask for a new one.")
        return share

    def of_job(self, job_id: str) -> Sequence[Share]:
        """Return the links of a job, oldest first. Links whose time is over are among them."""
        names = [entry.key.rpartition("/")[2] for entry in self._objects.entries(f"{_folder(job_id)}/")]
        found = [self._read(job_id, name.removesuffix(".json")) for name in names]
        return sorted((share for share in found if share), key=lambda share: share.created_at)

    def revoke(self, job_id: str, share_id: str) -> None:
        """Delete a link: it opens nothing from now on. Raises ShareNotFound."""
        if not SHARE_ID.fullmatch(share_id) or self._read(job_id, share_id) is None:
            raise ShareNotFound("The job has no link with this id.")
        self._objects.delete(_key(job_id, share_id))

    def _read(self, job_id: str, share_id: str) -> Share | None:
        try:
            plain = json.loads(self._objects.read(_key(job_id, share_id)))
        except KeyError:
            return None
        created, expires = (datetime.fromisoformat(plain[name]) for name in ("created_at", "expires_at"))
        expires = min(expires, created + self._longest)  # the limit may have become shorter
        return Share(share_id, job_id, plain["sha256"], plain["audio"], created, expires)


def _folder(job_id: str) -> str:
    return f"{result_folder(job_id)}/shares"


def _key(job_id: str, share_id: str) -> str:
    return f"{_folder(job_id)}/{share_id}.json"


def _to_json(share: Share) -> bytes:
    document = {
        "format": 1,
        "sha256": share.sha256,
        "audio": share.audio,
        "created_at": share.created_at.isoformat(),
        "expires_at": share.expires_at.isoformat(),
    }
    return json.dumps(document).encode()
