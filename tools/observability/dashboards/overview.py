"""Objectives, their budgets, and what a person on call looks at first."""

from __future__ import annotations

from tools.observability.dashboards.panels import Board, Panel, Query, Row, quantiles

BUDGET_COLOURS = ((None, "red"), (0.0, "orange"), (0.25, "green"))
BURN_COLOURS = ((None, "green"), (1.0, "orange"), (6.0, "red"))

BUDGETS = Row(
    "Objectives",
    (
        Panel(
            "Error budgets left",
            (
                Query(
                    "min by (sloth_slo) (slo:period_error_budget_remaining:ratio{SELECTOR})",
                    "{{sloth_slo}}",
                ),
            ),
            unit="percentunit",
            width=24,
            steps=BUDGET_COLOURS,
            minimum=None,
            kind="stat",
            description="Share of the misses that the objective allows in its period and that have not happened.",
        ),
        Panel(
            "Speed at which budgets burn",
            (Query("max by (sloth_slo, queue) (slo:current_burn_rate:ratio{SELECTOR})", "{{sloth_slo}} {{queue}}"),),
            steps=BURN_COLOURS,
            description="Of the last five minutes. At 1 the budget lasts for the period. Alerts start at 14.4 and 6.",
        ),
        Panel(
            "Objectives",
            (
                Query("max by (sloth_slo) (slo:objective:ratio{SELECTOR})", "Objective"),
                Query(
                    "1 - max by (sloth_slo) (slo:period_burn_rate:ratio{SELECTOR})"
                    " * on (sloth_slo) max by (sloth_slo) (slo:error_budget:ratio{SELECTOR})",
                    "In the period",
                ),
                Query("min by (sloth_slo) (slo:period_error_budget_remaining:ratio{SELECTOR})", "Budget left"),
            ),
            unit="percentunit",
            minimum=None,
            kind="table",
        ),
        Panel(
            "Error budgets over time",
            (
                Query(
                    "min by (sloth_slo, queue) (slo:period_error_budget_remaining:ratio{SELECTOR})",
                    "{{sloth_slo}} {{queue}}",
                ),
            ),
            unit="percentunit",
            minimum=None,
        ),
        Panel(
            "Alerts that fire",
            (Query('ALERTS{SELECTOR,alertname=~"Parley.+",alertstate="firing"}', "Fires"),),
            kind="table",
            description="One row per alert. The runbook has a heading of the same name.",
        ),
    ),
)

NOW = Row(
    "Jobs",
    (
        Panel(
            "Components",
            (Query("max by (part) (parley_part_ready{SELECTOR})", "{{part}}"),),
            width=8,
            steps=((None, "red"), (1.0, "green")),
            kind="stat",
            description="1 when the component is ready, as in /readyz.",
            alert="ParleyNotReady",
        ),
        Panel(
            "Jobs that ended in this time",
            (
                Query("sum(max by (queue) (increase(parley_jobs_succeeded_total{SELECTOR}[$__range])))", "succeeded"),
                Query(
                    "sum(max by (queue, code) (increase(parley_jobs_failed_total{SELECTOR}[$__range])))",
                    "failed",
                ),
                Query("sum(max by (queue) (increase(parley_jobs_cancelled_total{SELECTOR}[$__range])))", "cancelled"),
            ),
            width=8,
            kind="stat",
        ),
        Panel(
            "Unfinished jobs",
            (Query("max by (queue) (parley_queue_unfinished{SELECTOR})", "{{queue}}"),),
            width=8,
            alert="ParleyUnfinishedBudgetBurns",
        ),
        Panel(
            "Accepted and ended, per minute",
            (
                Query(
                    "60 * sum(max by (queue) (rate(parley_jobs_accepted_total{SELECTOR}[RATE])))",
                    "accepted",
                ),
                Query(
                    "60 * sum(max by (queue) (rate(parley_jobs_succeeded_total{SELECTOR}[RATE])))",
                    "succeeded",
                ),
                Query(
                    "60 * sum(max by (queue, code) (rate(parley_jobs_failed_total{SELECTOR}[RATE])))",
                    "failed",
                ),
                Query(
                    "60 * sum(max by (queue) (rate(parley_jobs_cancelled_total{SELECTOR}[RATE])))",
                    "cancelled",
                ),
            ),
        ),
        Panel(
            "From submit to result",
            quantiles("parley_result_seconds"),
            unit="s",
            alert="ParleySubmitToResultBudgetBurns",
        ),
    ),
)

BOARD = Board(
    "parley-overview",
    "Parley / Overview",
    "Objectives, error budgets, alerts and jobs of one release.",
    (BUDGETS, NOW),
)
