"""What each role may do in the object store: users and policy of the embedded store, or the policy of your own bucket.

    object_rights.py embed BUCKET_FOLDER KEYS_FOLDER USERS_FOLDER
        writes the users of versitygw from files ROLE-access-key and ROLE-secret-key, and the policy of its bucket
    object_rights.py policy BUCKET[/PREFIX] api=ARN keeper=ARN worker=ARN
        prints the policy of a bucket of S3

Code that a recording has brought into a worker has the rights of the worker. So a worker changes no recording and no
manifest, and sees no API key and no voiceprint. The image of the embedded store has the standard library only.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

LIST, DELETE = "s3:ListBucket", "s3:DeleteObject"
ACTIONS = {"read": ("s3:GetObject",), "write": ("s3:PutObject", "s3:AbortMultipartUpload"), "delete": (DELETE,)}

RIGHTS = {
    "api": {
        "read": (
            *("recordings", "results", "jobs", "unrecorded", "idempotency", "voiceprints", "keys", "uploads"),
            *("batches", "checks"),
        ),
        "write": (
            *("recordings", "results", "jobs", "changes", "unrecorded", "idempotency", "voiceprints", "keys"),
            *("uploads", "batches", "checks"),
        ),
        "delete": ("recordings", "results", "jobs", "checkpoints", "keys", "uploads", "checks"),
    },
    "keeper": {
        "read": ("results", "jobs", "unrecorded", "history", "voiceprints", "batches", "checks"),
        "write": ("results", "jobs", "changes", "unrecorded", "history", "voiceprints", "batches", "checks"),
        "delete": (
            *("recordings", "results", "jobs", "changes", "unrecorded", "idempotency"),
            *("checkpoints", "voiceprints", "uploads", "batches", "checks"),
        ),
    },
    "worker": {
        "read": ("recordings", "jobs", "unrecorded", "checkpoints", "checks"),
        "write": ("results", "jobs/*/*/end-*.json", "checkpoints", "checks"),
        "delete": ("results", "checkpoints", "checks"),
    },
}

# Among results, what people have made: a worker that was taken over makes no link to a job and no correction.
REFUSED_TO_WORKERS = ("results/*/*/shares/*", "results/*/*/*.corrections/*", "results/*/*/transcript")


def policy(place: str, principals: dict[str, str]) -> dict[str, object]:
    """Return the policy of a bucket.

    Args:
        place: the bucket, with the prefix of `PARLEY_OBJECTS_URL` if it has one.
        principals: who a role is, by role.
    """
    statements: list[dict[str, object]] = []
    for role, principal in principals.items():
        who = {"AWS": [principal]}
        bucket = [f"arn:aws:s3:::{place.partition('/')[0]}"]
        statements.append({"Effect": "Allow", "Principal": who, "Action": [LIST], "Resource": bucket})
        for rights, keys in _by_rights(RIGHTS[role]).items():
            actions = [action for right in rights for action in ACTIONS[right]]
            resources = [f"arn:aws:s3:::{place}/{key if '*' in key else f'{key}/*'}" for key in keys]
            statements.append({"Effect": "Allow", "Principal": who, "Action": actions, "Resource": resources})
        if role == "worker":
            resources = [f"arn:aws:s3:::{place}/{key}" for key in REFUSED_TO_WORKERS]
            actions = ["s3:PutObject", DELETE]
            statements.append({"Effect": "Deny", "Principal": who, "Action": actions, "Resource": resources})
    return {"Version": "2012-10-17", "Statement": statements}


def _by_rights(rights: dict[str, tuple[str, ...]]) -> dict[tuple[str, ...], list[str]]:
    """Return the keys by what may be done with them: each is named once, so that the policy stays short."""
    found: dict[tuple[str, ...], list[str]] = {}
    for key in sorted({key for keys in rights.values() for key in keys}):
        found.setdefault(tuple(right for right in ACTIONS if key in rights[right]), []).append(key)
    return found


def embed(bucket: Path, keys: Path, users: Path) -> None:
    """Write the users of versitygw, and the policy where it keeps that of a bucket: in an attribute of its folder."""
    accounts = {}
    principals = {}
    for role in RIGHTS:
        access, secret = ((keys / f"{role}-{part}").read_text().strip() for part in ("access-key", "secret-key"))
        numbers = dict.fromkeys(("userID", "groupID", "projectID"), 0)
        accounts[access] = {"access": access, "secret": secret, "role": "user", **numbers}
        principals[role] = access
    (users / "users.json").write_text(json.dumps({"accessAccounts": accounts}))
    text = json.dumps(policy(bucket.name, principals), separators=(",", ":")).encode()
    try:
        os.setxattr(bucket, "user.policy", text)
    except OSError as error:  # ext4 keeps no more than 4 kB of attributes
        sys.exit(
            f"The volume does not keep the policy of the bucket, {len(text)} bytes of attributes ({error.strerror}). "
            "Give the bucket a shorter name, or set `objects.embedded.roles: false`."
        )


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status."""
    if len(arguments) == 4 and arguments[0] == "embed":
        embed(*map(Path, arguments[1:]))
        return 0
    given = dict(word.partition("=")[::2] for word in arguments[2:])
    if len(arguments) > 2 and arguments[0] == "policy" and given.keys() <= RIGHTS.keys():
        sys.stdout.write(f"{json.dumps(policy(arguments[1], given), indent=2)}\n")
        return 0
    sys.stderr.write(str(__doc__))
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
