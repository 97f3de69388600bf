"""Redis, the object store, and the keeper that joins them."""

from __future__ import annotations

from tools.observability.dashboards.panels import Board, Panel, Query, Row

REDIS = Row(
    "Redis",
    (
        Panel(
            "Job store",
            (
                Query("max(parley_up{SELECTOR})", "answers"),
                Query("max(parley_store_keeps_everything{SELECTOR})", "evicts nothing"),
                Query("max(parley_store_append_only{SELECTOR})", "append-only file"),
            ),
            width=8,
            steps=((None, "red"), (1.0, "green")),
            kind="stat",
            alert="ParleyNotReady",
        ),
        Panel(
            "Memory",
            (
                Query("max(parley_store_used_memory_bytes{SELECTOR})", "used"),
                Query("max(parley_store_max_memory_bytes{SELECTOR})", "limit"),
            ),
            unit="bytes",
            width=8,
            alert="ParleyJobStoreNearlyFull",
        ),
        Panel(
            "Share of memory in use",
            (
                Query(
                    "max(parley_store_used_memory_bytes{SELECTOR}) / max(parley_store_max_memory_bytes{SELECTOR})",
                    "used",
                ),
            ),
            unit="percentunit",
            width=8,
            steps=((None, "green"), (0.6, "orange"), (0.75, "red")),
            alert="ParleyJobStoreFilling",
            description="The API refuses submits from 80 %.",
        ),
        Panel(
            "Lost writes and repairs",
            (
                Query("sum(increase(parley_keeper_reconciliations_total{SELECTOR}[1h]))", "reconciliations in 1 h"),
                Query(
                    "sum(max by (queue) (increase(parley_jobs_restored_total{SELECTOR}[1h])))", "jobs restored in 1 h"
                ),
                Query("max(increase(parley_unreadable_records_total{SELECTOR}[1h]))", "records unreadable in 1 h"),
            ),
            alert="ParleyJobStoreLostWrites",
        ),
        Panel(
            "Accepted without Redis, not yet recorded",
            (Query("min(parley_keeper_unrecorded_jobs{SELECTOR})", "jobs"),),
            alert="ParleyBacklogNotEmpty",
        ),
    ),
)

OBJECTS = Row(
    "Object store",
    (
        Panel(
            "Recordings kept",
            (Query("max by (queue) (parley_stored_recording_bytes{SELECTOR})", "{{queue}}"),),
            unit="bytes",
            width=8,
        ),
        Panel(
            "Age of audio",
            (
                Query("max(parley_keeper_oldest_recording_seconds{SELECTOR})", "oldest recording"),
                Query("max(parley_retention_lag_seconds{SELECTOR})", "past its retention"),
            ),
            unit="s",
            width=8,
            alert="ParleyAudioPastRetention",
        ),
        Panel(
            "Purged and orphans",
            (
                Query(
                    "3600 * sum(max by (queue) (rate(parley_jobs_purged_total{SELECTOR}[RATE])))",
                    "purged per hour",
                ),
                Query("max(parley_keeper_orphans_kept{SELECTOR})", "orphans kept"),
            ),
            width=8,
            alert="ParleyOrphansKept",
        ),
    ),
)

KEEPER = Row(
    "Keeper",
    (
        Panel(
            "Overdue tasks",
            (
                Query("min by (task) (parley_keeper_lag_seconds{SELECTOR})", "{{task}}"),
                Query("max(parley_due_lag_seconds{SELECTOR})", "oldest due job"),
            ),
            unit="s",
            alert="ParleyKeeperLate",
        ),
        Panel(
            "Seconds since progress",
            (Query("min by (task) (parley_keeper_round_age_seconds{SELECTOR})", "{{task}}"),),
            unit="s",
        ),
        Panel(
            "Failed rounds, per minute",
            (Query("60 * sum by (task) (rate(parley_keeper_failures_total{SELECTOR}[RATE]))", "{{task}}"),),
        ),
        Panel(
            "Items done, per minute",
            (Query("60 * sum by (task) (rate(parley_keeper_items_done_total{SELECTOR}[RATE]))", "{{task}}"),),
        ),
        Panel(
            "Deliveries in the last hour: attempts by result, and given up",
            (
                Query("max by (result) (increase(parley_delivery_attempts_total{SELECTOR}[1h]))", "{{result}}"),
                Query("max(increase(parley_deliveries_given_up_total{SELECTOR}[1h]))", "given up"),
            ),
        ),
        Panel(
            "Transcriptions in the last hour, by the code of their error",
            (
                Query(
                    "sum by (code) (max by (code, queue) (increase(parley_transcriptions_total{SELECTOR}[1h])))",
                    "{{code}}",
                ),
            ),
        ),
        Panel(
            "Traces dropped in the last hour",
            (Query("max(increase(parley_traces_dropped_total{SELECTOR}[1h]))", "traces"),),
        ),
    ),
)

BOARD = Board(
    "parley-stores",
    "Parley / Redis, object store and keeper",
    "What is stored, and what the keeper does about it.",
    (REDIS, OBJECTS, KEEPER),
)
