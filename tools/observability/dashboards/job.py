"""One job's life by its id: its trace, its log lines, and how long jobs of that time took."""

from __future__ import annotations

from tools.observability.dashboards.panels import Board, Panel, Query, Row, quantiles

HELP = """\
Enter the whole id of a job. `parley job ID` shows its attempts, `parley doctor` what is wrong with the system.

The trace needs `OTEL_EXPORTER_OTLP_ENDPOINT` at the keeper and a Tempo data source; the lines need the logs of the
pods in Loki. Metrics hold no job ids."""

LIFE = Row(
    "Job $job",
    (
        Panel("How to use it", kind="text", description=HELP, width=24),
        Panel(
            "Trace",
            (Query('{ resource.service.name = "parley" && span.parley.job.id = "$job" }'),),
            kind="trace",
            width=24,
            description="From the submit over each attempt with its phases to the end and its deliveries.",
        ),
        Panel("Log", (Query('{namespace="$namespace"} | json | job_id="$job"'),), kind="logs", width=24),
    ),
)

CONTEXT = Row(
    "Jobs of this time",
    (
        Panel("Wait until the first attempt", quantiles("parley_wait_seconds"), unit="s", width=8),
        Panel("Successful attempts", quantiles("parley_run_seconds"), unit="s", width=8),
        Panel("From submit to result", quantiles("parley_result_seconds"), unit="s", width=8),
    ),
)

BOARD = Board(
    "parley-job",
    "Parley / One job",
    "The trace and the log of one job.",
    (LIFE, CONTEXT),
    text_boxes=(("job", "Job id"),),
    sources=(("traces", "Traces", "tempo"), ("logs", "Logs", "loki")),
)
