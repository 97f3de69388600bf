"""Paths in responses: behind a proxy that serves Parley under a prefix, they begin with it."""

from __future__ import annotations

from contextvars import ContextVar

# Set once per request by http/root_path.py. Models are made in many places that do not know the request.
ROOT_PATH: ContextVar[str] = ContextVar("root_path", default="")


def path_of(path: str) -> str:
    """Return a path of the API as callers reach it."""
    return ROOT_PATH.get() + path
