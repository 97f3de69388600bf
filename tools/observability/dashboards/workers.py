"""Attempts, the engine's cost, and what goes wrong in workers."""

from __future__ import annotations

from tools.observability.dashboards.panels import Board, Panel, Query, Row, quantiles

ENGINE = Row(
    "Engine",
    (
        Panel("Successful attempts", quantiles("parley_run_seconds"), unit="s"),
        Panel("Decoding", quantiles("parley_decode_seconds"), unit="s"),
        Panel("Engine", quantiles("parley_engine_seconds"), unit="s"),
        Panel(
            "Processor seconds per second of audio",
            (
                Query(
                    "max by (queue) (rate(parley_engine_cpu_seconds_total{SELECTOR}[RATE]))"
                    " / (max by (queue) (rate(parley_audio_seconds_total{SELECTOR}[RATE])) > 0)",
                    "{{queue}}",
                ),
            ),
            description="What one second of a recording costs. It rises with slower nodes and another engine.",
        ),
        Panel(
            "Hours of audio per hour",
            (Query("max by (queue) (rate(parley_audio_seconds_total{SELECTOR}[RATE]))", "{{queue}}"),),
        ),
    ),
)

ATTEMPTS = Row(
    "Attempts",
    (
        Panel(
            "Attempts, per hour",
            (
                Query(
                    "3600 * sum(max by (queue) (rate(parley_attempts_started_total{SELECTOR}[RATE])))",
                    "started",
                ),
                Query(
                    "3600 * sum(max by (queue) (rate(parley_attempts_given_back_total{SELECTOR}[RATE])))",
                    "given back",
                ),
            ),
        ),
        Panel(
            "Attempts that failed, per hour",
            (
                Query(
                    "3600 * sum by (code) (max by (queue, code) (rate(parley_attempts_failed_total{SELECTOR}[RATE])))"
                    " > 0",
                    "{{code}}",
                ),
            ),
            alert="ParleyAttemptsLost",
        ),
        Panel(
            "Jobs that failed, per hour",
            (
                Query(
                    "3600 * sum by (code) (max by (queue, code) (rate(parley_jobs_failed_total{SELECTOR}[RATE]))) > 0",
                    "{{code}}",
                ),
            ),
            alert="ParleyJobsFailing",
        ),
        Panel(
            "Attempts per job",
            (
                Query(
                    "max by (queue) (rate(parley_job_attempts_sum{SELECTOR}[RATE]))"
                    " / (max by (queue) (rate(parley_job_attempts_count{SELECTOR}[RATE])) > 0)",
                    "{{queue}} mean",
                ),
                Query(
                    "histogram_quantile(0.95, max by (queue, le) (rate(parley_job_attempts_bucket{SELECTOR}[RATE])))",
                    "{{queue}} 95 %",
                ),
            ),
            alert="ParleyRetriesBudgetBurns",
        ),
        Panel(
            "From cancel to stop",
            quantiles("parley_cancel_seconds"),
            unit="s",
        ),
        Panel(
            "Leases and repairs",
            (
                Query("max(parley_leases{SELECTOR})", "leases held"),
                Query(
                    "sum(max by (queue) (increase(parley_messages_lost_total{SELECTOR}[1h])))", "messages lost in 1 h"
                ),
                Query(
                    "sum(max by (queue) (increase(parley_commits_refused_total{SELECTOR}[1h])))",
                    "results refused in 1 h",
                ),
                Query("max(increase(parley_checkpoints_ignored_total{SELECTOR}[1h]))", "checkpoints ignored in 1 h"),
                Query("max(increase(parley_messages_dropped_total{SELECTOR}[1h]))", "messages dropped in 1 h"),
            ),
        ),
    ),
)

WORKERS = Row(
    "Workers",
    (
        Panel(
            "Slots in use",
            (
                Query("sum(parley_worker_slots_busy{SELECTOR})", "busy"),
                Query("sum(parley_worker_slots{SELECTOR})", "slots"),
            ),
        ),
        Panel(
            "Processors in use by worker",
            (Query("topk(10, sum by (pod) (rate(parley_worker_cpu_seconds_total{SELECTOR}[RATE])))", "{{pod}}"),),
            description="Engines and decoders with them. Compare with the limit of the pod.",
        ),
        Panel(
            "Memory of the largest process, by worker",
            (
                Query(
                    'topk(10, max by (pod) (parley_worker_resident_bytes{SELECTOR,process="largest_child"}))', "{{pod}}"
                ),
            ),
            unit="bytes",
            alert="ParleyPoisonJobs",
        ),
        Panel(
            "Phases of attempts, 95th percentile",
            (
                Query(
                    "histogram_quantile(0.95, sum by (phase, le)"
                    " (rate(parley_worker_phase_seconds_bucket{SELECTOR}[RATE])))",
                    "{{phase}}",
                ),
            ),
            unit="s",
            description="Of all attempts, also those that fail.",
        ),
    ),
)

BOARD = Board(
    "parley-workers",
    "Parley / Workers and engine",
    "Attempts, their phases and their cost.",
    (ENGINE, ATTEMPTS, WORKERS),
)
