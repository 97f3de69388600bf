"""The dashboards of the chart, generated for Grafana 11 and later by `python -m tools.observability.dashboards`.

Each module describes one dashboard: rows of panels, each with its queries. In queries SELECTOR selects the metrics of
one release, as in the chart's `files/alerts.yaml`, and RATE is Grafana's interval for rates.
"""

from __future__ import annotations

from pathlib import Path

from tools.observability.dashboards import api, job, overview, queues, stores, workers
from tools.observability.dashboards.panels import SELECTOR, Board, to_json

__all__ = ["BOARDS", "FOLDER", "SELECTOR", "Board", "path", "render"]

FOLDER = Path(__file__).parents[3] / "charts" / "parley" / "files" / "dashboards"
BOARDS: tuple[Board, ...] = (overview.BOARD, queues.BOARD, workers.BOARD, api.BOARD, stores.BOARD, job.BOARD)


def path(board: Board) -> Path:
    """Return the file of a dashboard in the chart."""
    return FOLDER / f"{board.uid.removeprefix('parley-')}.json"


def render(board: Board) -> str:
    """Return the text of the file."""
    return to_json(board)
