"""Dashboards as values, and their translation by Grafana's library: units, colours, variables, links."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import logs, loki, prometheus, stat, table, tempo, text, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

SELECTOR = 'namespace="$namespace",release="$release"'
RUNBOOK = "RUNBOOK"  # the template of the chart replaces it by the URL of the runbook
WIDTH, HEIGHT = 24, 8  # Grafana's grid; a panel is eight of its rows high


@dataclass(frozen=True, slots=True)
class Query:
    """An expression for Prometheus and the legend of its series."""

    expression: str
    legend: str = ""

    @property
    def text(self) -> str:
        return self.expression.replace("SELECTOR", SELECTOR).replace("[RATE]", "[$__rate_interval]")


@dataclass(frozen=True, slots=True)
class Panel:
    """One panel.

    Attributes:
        queries: what it shows; none for a panel of text.
        unit: Grafana's name of the unit.
        width: of 24 columns.
        steps: colours of values, from the lowest: (None, "red"), (0.25, "green").
        alert: the heading of the runbook to which the panel links.
        kind: `lines`, `stat`, `table`, `text`, `trace` or `logs`.
    """

    title: str
    queries: tuple[Query, ...] = ()
    unit: str = "short"
    width: int = 12
    description: str = ""
    steps: tuple[tuple[float | None, str], ...] = ()
    alert: str = ""
    kind: str = "lines"
    minimum: float | None = 0


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and its panels."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Board:
    """One dashboard; `variables` are further text boxes and data sources, by name and label."""

    uid: str
    title: str
    description: str
    rows: tuple[Row, ...]
    text_boxes: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[str, str, str], ...] = ()


def quantiles(metric: str, by: str = "queue", over: str = "max") -> tuple[Query, ...]:
    """Return the median and the 95th percentile of a histogram, by one label."""
    rates = f"{over} by ({by}, le) (rate({metric}_bucket{{SELECTOR}}[RATE]))"
    return tuple(
        Query(f"histogram_quantile({share}, {rates})", f"{{{{{by}}}}} {name}")
        for share, name in ((0.5, "median"), (0.95, "95 %"))
    )


def to_json(board: Board) -> str:
    """Return a dashboard as Grafana reads it, with a line end."""
    built = builders.Dashboard(board.title).uid(board.uid).description(board.description)
    built = built.tags(["parley"]).timezone("browser").refresh("30s").time("now-6h", "now").editable()
    built = built.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    for variable in _variables(board):
        built.with_variable(variable)
    for link in _links():
        built.link(link)
    built.annotation(_alerts())
    number = 0
    for row in board.rows:
        number += 1
        built.with_row(builders.Row(row.title).id(number))
        for panel in row.panels:
            number += 1
            built.with_panel(_panel(panel).id(number))
    return json.dumps(built.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"


def _source(name: str = "datasource", kind: str = "prometheus") -> dashboard.DataSourceRef:
    return dashboard.DataSourceRef(type_val=kind, uid=f"${{{name}}}")


def _variables(board: Board) -> list[Any]:
    made: list[Any] = [builders.DatasourceVariable("datasource").label("Data source").type("prometheus")]
    made += [builders.DatasourceVariable(name).label(label).type(kind) for name, label, kind in board.sources]
    for name, label, query in (
        ("namespace", "Namespace", "label_values(parley_up, namespace)"),
        ("release", "Release", 'label_values(parley_up{namespace="$namespace"}, release)'),
    ):
        variable = builders.QueryVariable(name).label(label).query({"query": query, "refId": "A"})
        variable = variable.datasource(_source()).refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        made.append(variable.sort(dashboard.VariableSort.ALPHABETICAL_ASC))
    made += [builders.TextBoxVariable(name).label(label).default_value("") for name, label in board.text_boxes]
    return made


def _links() -> list[Any]:
    others = builders.DashboardLink("Parley").type(dashboard.DashboardLinkType.DASHBOARDS).tags(["parley"])
    runbook = builders.DashboardLink("Runbook").type(dashboard.DashboardLinkType.LINK).url(RUNBOOK).icon("doc")
    return [others.as_dropdown(True).include_vars(True).keep_time(True), runbook.target_blank(True)]


def _alerts() -> Any:
    """Mark in every chart when an alert of Parley fired."""
    made = builders.AnnotationQuery().name("Alerts").datasource(_source()).enable(True).icon_color("red")
    expression = f'ALERTS{{{SELECTOR},alertname=~"Parley.+",alertstate="firing"}}'
    return made.expr(expression)


def _panel(panel: Panel) -> Any:
    made = _KINDS[panel.kind](panel).title(panel.title).span(panel.width)
    made = made.height(4 if panel.kind == "stat" and panel.width < WIDTH / 4 else HEIGHT)
    if panel.description:
        made = made.description(panel.description)
    if panel.alert:
        link = builders.DashboardLink(panel.alert).type(dashboard.DashboardLinkType.LINK).target_blank(True)
        made = made.links([link.url(f"{RUNBOOK}#{panel.alert.lower()}")])
    return made


def _targets(panel: Panel, *, now: bool = False) -> list[Any]:
    made = []
    for index, query in enumerate(panel.queries):
        target = prometheus.Dataquery().expr(query.text).ref_id(chr(ord("A") + index)).datasource(_source())
        target = target.instant() if now else target.range().exemplar(True)
        made.append(target.legend_format(query.legend or "__auto"))
    return made


def _with_values(made: Any, panel: Panel) -> Any:
    made = made.datasource(_source()).unit(panel.unit)
    if panel.minimum is not None:
        made = made.min(panel.minimum)
    if not panel.steps:
        return made
    steps = [dashboard.Threshold(value=value, color=colour) for value, colour in panel.steps]
    return made.thresholds(builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(steps))


def _lines(panel: Panel) -> Any:
    made = _with_values(timeseries.Panel().targets(_targets(panel)), panel)
    legend = common_builders.VizLegendOptions().display_mode(common.LegendDisplayMode.LIST)
    made = made.legend(legend.placement(common.LegendPlacement.BOTTOM).show_legend(True))
    made = made.tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    made = made.line_width(1).fill_opacity(8).show_points(common.VisibilityMode.NEVER)
    if panel.steps:
        style = common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
        made = made.thresholds_style(style)
    return made


def _stat(panel: Panel) -> Any:
    made = _with_values(stat.Panel().targets(_targets(panel, now=True)), panel)
    made = made.reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
    made = made.color_mode(common.BigValueColorMode.BACKGROUND if panel.steps else common.BigValueColorMode.NONE)
    return made.graph_mode(common.BigValueGraphMode.NONE).text_mode(common.BigValueTextMode.VALUE_AND_NAME)


def _table(panel: Panel) -> Any:
    targets = [target.format(PromQueryFormat.TABLE) for target in _targets(panel, now=True)]
    made = _with_values(table.Panel().targets(targets), panel)
    hidden = {"Time": True, "__name__": True, "namespace": True, "release": True, "alertstate": True}
    named = {f"Value #{chr(ord('A') + index)}": query.legend for index, query in enumerate(panel.queries)}
    made = made.with_transformation(dashboard.DataTransformerConfig(id_val="merge", options={}))
    organised = {"excludeByName": hidden, "renameByName": named}
    return made.with_transformation(dashboard.DataTransformerConfig(id_val="organize", options=organised))


def _text(panel: Panel) -> Any:
    return text.Panel().content(panel.description)


def _trace(panel: Panel) -> Any:
    (query,) = panel.queries
    target = tempo.TempoQuery().query(query.text).query_type("traceql").ref_id("A")
    return table.Panel().datasource(_source("traces", "tempo")).with_target(target)


def _logs(panel: Panel) -> Any:
    (query,) = panel.queries
    made = logs.Panel().datasource(_source("logs", "loki")).with_target(loki.Dataquery().expr(query.text).ref_id("A"))
    return made.show_time(True).wrap_log_message(True).enable_log_details(True)


_KINDS = {"lines": _lines, "stat": _stat, "table": _table, "text": _text, "trace": _trace, "logs": _logs}
