"""Callers who submit recordings of millions of empty parts, and what another tenant sees of them."""

from __future__ import annotations

import threading
from itertools import cycle

import httpx
from rich.console import Console

from benchmarks.measure import Measure
from benchmarks.system.held_connections import ATTACKER, p95, submit_times, two_tenants
from tests.support.api_process import ApiProcess
from tests.support.bombs import BOMBS

ATTACKERS, ROUNDS, REQUESTS = 4, 3, 60
NAMES = (
    "wav, empty chunks first",
    "mp4, empty boxes last",
    "wma, empty objects",
    "flac, tags",
    "wav, empty chunks last",
)


def structure_bomb_rows(console: Console) -> list[Measure]:
    """Compare submits of one tenant alone with submits beside four attackers, in turns."""
    console.print(f"bench: {ATTACKERS} attackers with structure bombs of 20 MB")
    bombs = [BOMBS[name][0]() for name in NAMES]
    with two_tenants() as api:
        submit_times(api, 20)  # the first ones start what later ones find
        alone, beside = [], []
        for _ in range(ROUNDS):
            alone += submit_times(api, REQUESTS)
            stop = threading.Event()
            attack = [threading.Thread(target=_attack, args=(api, bombs, first, stop)) for first in range(ATTACKERS)]
            for attacker in attack:
                attacker.start()
            beside += submit_times(api, REQUESTS)
            stop.set()
            for attacker in attack:
                attacker.join()
    note = f"{p95(alone) * 1000:.0f} ms alone, {p95(beside) * 1000:.0f} ms beside them"
    return [Measure("submit beside structure bombs over alone, p95", p95(beside) / p95(alone), "x", 2, note=note)]


def _attack(api: ApiProcess, bombs: list[bytes], first: int, stop: threading.Event) -> None:
    headers = {"Authorization": f"Bearer {ATTACKER}", "Content-Type": "audio/wav"}
    with httpx.Client(base_url=api.url, headers=headers, timeout=120) as client:
        for number in cycle(range(len(bombs))):
            if stop.is_set():
                return
            client.post("/v1/jobs", content=bombs[(first + number) % len(bombs)])
