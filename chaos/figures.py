"""Percentiles, and how a row states them."""

from __future__ import annotations

from collections.abc import Iterable


def percentile(values: Iterable[float], share: float) -> float:
    """Return the percentile by nearest rank. Raises ValueError without values."""
    ordered = sorted(values)
    if not ordered:
        raise ValueError("no values")
    return ordered[max(0, -(-int(share * 100) * len(ordered) // 100) - 1)]


def stated(values: Iterable[float], unit: str) -> str:
    """Return the median, the 95th percentile and the maximum of some values as text. Raises ValueError without any."""
    known = list(values)
    found = (percentile(known, 0.5), percentile(known, 0.95), max(known))
    return f"{' / '.join(f'{value:.1f}' for value in found)} {unit} (p50 / p95 / max of {len(known)})"
