"""The Lua transitions, each with the shared libraries in front."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

from redis import Redis

from parley_core.redis.connection import translated_errors

# What takes on work is refused when memory is full; what finishes it never is.
REFUSED_WHEN_FULL = frozenset({"create", "reserve_key", "enrol_voiceprint"})
# What only reads also answers where no writes are taken: on a primary without its replicas, and on a replica.
READS_ONLY = frozenset({"forecast"})


LIBRARIES = ("lib", "estimates")


def in_pairs(fields: Mapping[str, str | int | float]) -> list[str | int | float]:
    """Return fields as arguments of a script: name, value, name, value, ..."""
    return [part for pair in fields.items() for part in pair]


def header(name: str) -> str:
    """Return the first line of a script, which tells the server how to run it."""
    if name in READS_ONLY:
        return "#!lua flags=no-writes\n"
    return "#!lua\n" if name in REFUSED_WHEN_FULL else "#!lua flags=allow-oom\n"


@cache
def source(name: str) -> str:
    """Return the whole text of one transition."""
    folder = files("parley_core.redis") / "lua"
    return header(name) + "".join((folder / f"{part}.lua").read_text() for part in (*LIBRARIES, name))


class Scripts:
    """Runs transitions by name; loads a script again when the server has forgotten it."""

    def __init__(self, client: Redis) -> None:
        self._client = client
        self._registered: dict[str, Any] = {}

    def run(self, name: str, *arguments: str | int | float) -> Any:
        """Raises JobStoreUnavailable or JobStoreFull."""
        with translated_errors():
            return self._script(name)(keys=[], args=arguments)

    def _script(self, name: str) -> Any:
        if name not in self._registered:
            self._registered[name] = self._client.register_script(source(name))
        return self._registered[name]
