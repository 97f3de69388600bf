"""How long jobs wait, and whether there are workers enough."""

from __future__ import annotations

from tools.observability.dashboards.panels import Board, Panel, Query, Row, quantiles

WAITING = Row(
    "Waiting",
    (
        Panel(
            "Unfinished jobs",
            (Query("max by (queue) (parley_queue_unfinished{SELECTOR})", "{{queue}}"),),
            alert="ParleyQueueNotMoving",
            description="Accepted and not ended. The autoscaler follows this number.",
        ),
        Panel(
            "Oldest unfinished job",
            (Query("max by (queue) (parley_queue_oldest_seconds{SELECTOR})", "{{queue}}"),),
            unit="s",
            alert="ParleyOldestJobTooOld",
        ),
        Panel("Wait until the first attempt", quantiles("parley_wait_seconds"), unit="s"),
        Panel(
            "From submit to result",
            quantiles("parley_result_seconds"),
            unit="s",
            alert="ParleySubmitToResultBudgetBurns",
        ),
        Panel(
            "From submit to result, per second of audio",
            quantiles("parley_result_audio_ratio"),
            description="Tells long recordings from slow work.",
        ),
        Panel(
            "Jobs to publish",
            (
                Query("max(parley_due_jobs{SELECTOR})", "due, now or later"),
                Query("max(parley_due_lag_seconds{SELECTOR})", "seconds late"),
            ),
            alert="ParleyKeeperLate",
        ),
    ),
)

SCALING = Row(
    "Scaling",
    (
        Panel(
            "Running jobs and capacity",
            (
                Query("max by (queue) (parley_queue_running{SELECTOR})", "{{queue}} running"),
                Query("max by (queue) (parley_queue_capacity{SELECTOR})", "{{queue}} capacity"),
            ),
        ),
        Panel(
            "Workers",
            (Query("max by (queue) (parley_queue_workers{SELECTOR})", "{{queue}}"),),
            alert="ParleyNoWorker",
        ),
        Panel(
            "Time with jobs that had a worker",
            (
                Query(
                    "max by (queue) (rate(parley_queue_served_seconds_total{SELECTOR}[RATE]))"
                    " / (max by (queue) (rate(parley_queue_busy_seconds_total{SELECTOR}[RATE])) > 0)",
                    "{{queue}}",
                ),
            ),
            unit="percentunit",
            alert="ParleyWorkerUptimeBudgetBurns",
        ),
        Panel(
            "Capacity in use",
            (
                Query(
                    "max by (queue) (rate(parley_run_seconds_sum{SELECTOR}[RATE]))"
                    " / (max by (queue) (rate(parley_worker_capacity_seconds_total{SELECTOR}[RATE])) > 0)",
                    "{{queue}}",
                ),
            ),
            unit="percentunit",
            description="Seconds of successful attempts per second offered. An attempt counts when it ends.",
        ),
    ),
)

BOARD = Board(
    "parley-queues", "Parley / Queues and scaling", "Waiting, service and capacity per queue.", (WAITING, SCALING)
)
