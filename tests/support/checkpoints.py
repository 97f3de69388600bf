"""A checkpoint in memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from parley_worker.engines.checkpoint import Part


class PartsInMemory:
    """Keeps every part, as an object store does."""

    def __init__(self) -> None:
        self.parts: dict[tuple[str, int], Part] = {}
        self.computed = 0

    def continued(self, step: str, total: int, compute: Callable[[int], Iterator[Part]]) -> Iterator[Part]:
        reached = 0
        while part := self.parts.get((step, reached)):
            reached = part.end
            yield part
        for part in compute(reached):
            self.parts[step, part.first] = part
            self.computed += part.end - part.first
            yield part
        assert max(part.end for (name, _), part in self.parts.items() if name == step) == total
