"""Clients that others generate from docs/reference/openapi.json, run against the API. `make clients` runs them."""
