"""Parley's HTTP API, and the keeper beside it."""
