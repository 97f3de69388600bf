"""The dashboards as one plain page each, with the current values of every panel, for machines without Grafana."""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Iterator

import httpx

from tools.observability import dashboards
from tools.observability.answers import Answers, Series
from tools.observability.dashboards.panels import Board, Panel

REFRESH_SECONDS = 5
STYLE = """
body { font: 15px/1.4 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem; }
nav a { margin-right: 1rem; }
.panels { display: grid; gap: 1rem; grid-template-columns: repeat(auto-fill, minmax(20rem, 1fr)); }
section { border: 1px solid #8884; border-radius: 6px; padding: .6rem 1rem; }
h3 { font-size: 1rem; margin: .2rem 0 .4rem; }
table { border-collapse: collapse; width: 100%; } td, th { padding: .1rem .4rem .1rem 0; text-align: left; }
td.value { font-variant-numeric: tabular-nums; text-align: right; } small { opacity: .7; }
:root { color-scheme: light dark; }
"""


def render(board: Board, answers: Answers) -> str:
    """Return a dashboard as HTML. A panel that Prometheus does not answer says so."""
    links = " ".join(f'<a href="/{one.uid}">{html.escape(one.title)}</a>' for one in dashboards.BOARDS)
    parts = [f"<!doctype html><title>{html.escape(board.title)}</title><style>{STYLE}</style>"]
    parts += [f'<meta http-equiv="refresh" content="{REFRESH_SECONDS}"><nav>{links}</nav>']
    parts.append(f"<h1>{html.escape(board.title)}</h1><p>{html.escape(board.description)}</p>")
    for row in board.rows:
        shown = [panel for panel in row.panels if panel.kind in ("lines", "stat", "table")]
        if shown:
            sections = "".join(_panel(panel, answers) for panel in shown)
            parts.append(f'<h2>{html.escape(row.title)}</h2><div class="panels">{sections}</div>')
    return "\n".join(parts)


def _panel(panel: Panel, answers: Answers) -> str:
    try:
        columns = [(query.legend, answers.now(query)) for query in panel.queries]
    except httpx.HTTPError as error:
        body = f"<p>No answer: {html.escape(type(error).__name__)}</p>"
    else:
        body = "".join(_rows(panel, columns)) or "<p>nothing</p>"
    note = f"<small>{html.escape(panel.description)}</small>" if panel.description else ""
    return f"<section><h3>{html.escape(panel.title)}</h3><table>{body}</table>{note}</section>"


def _rows(panel: Panel, columns: Iterable[tuple[str, list[Series]]]) -> Iterator[str]:
    for name, found in columns:
        for series in found:
            label = f"{series.legend} {name}" if panel.kind == "table" and name not in series.legend else series.legend
            value = text_of(series.points[-1][1], panel.unit)
            yield f'<tr><th>{html.escape(label)}</th><td class="value">{value}</td></tr>'


def text_of(value: float, unit: str) -> str:
    """Return a value with its unit, as Grafana names units."""
    if math.isnan(value):
        return "–"
    if unit == "percentunit":
        return f"{value:.1%}"
    if unit == "bytes":
        return f"{value / 1e6:.1f} MB"
    return f"{value:.3g}{' s' if unit == 's' else ''}"
