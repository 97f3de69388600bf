"""Write every dashboard into the chart."""

from __future__ import annotations

from tools.observability.dashboards import BOARDS, FOLDER, path, render

for old in FOLDER.glob("*.json"):
    old.unlink()
for board in BOARDS:
    path(board).write_text(render(board), encoding="utf-8")
