"""With PARLEY_TEST_ROLES=1, processes that tests start log in to Valkey as their role in the chart's access list.

Every Valkey of the tests then has that list. A command or key that it refuses to a role ends the run with an error:
`PARLEY_TEST_ROLES=1 make test ARGS=tests/integration`.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import Any

from redis import Redis

from parley_core.secret_files import with_password
from tests.chart.rendering import render
from tests.support.access_lists import write_access_lists

ON = os.environ.get("PARLEY_TEST_ROLES") == "1"
OWNER = "user default on nopass ~* &* +@all"  # the tests themselves


@cache
def _secret() -> dict[str, str]:
    found: dict[str, str] = render().one("Secret", "-redis")["stringData"]
    return found


def access_list(folder: Path) -> tuple[str, ...]:
    """Return the options of a server with the access list; none unless roles are tested."""
    if not ON:
        return ()
    config = render().one("ConfigMap", "-redis-config")["data"]
    lists = write_access_lists(config, _secret(), folder / "acl")
    lines = [line for line in (lists / "users.acl").read_text().splitlines() if not line.startswith("user default")]
    (lists / "users.acl").write_text("\n".join([OWNER, *lines, ""]))
    return ("--aclfile", str(lists / "users.acl"))


def as_role(url: str, role: str) -> str:
    """Return the address with which a process of this role logs in; unchanged unless roles are tested."""
    if not ON or not url.startswith("unix:///"):
        return url
    return with_password(url.replace("unix://", f"unix://{role}@"), _secret()[f"{role}-password"])


def refusals(client: Redis) -> list[str]:
    """Return what the server has refused to roles: user, command or key, and what was run."""
    log: Any = client.acl_log()
    return sorted({f"{entry['username']}: {entry['reason']} {entry['object']} ({entry['context']})" for entry in log})
