"""Requests to the API, refusals, and what each tenant does."""

from __future__ import annotations

from tools.observability.dashboards.panels import Board, Panel, Query, Row

MEASURED = 'route=~"/v1/.*|/api/.*"'
READING = 'method!="POST",route!~".*[?]wait|.*/events|.*/audio",' + MEASURED

REQUESTS = Row(
    "Requests",
    (
        Panel(
            "Requests per second",
            (
                Query(
                    f"sum by (status) (rate(parley_http_requests_total{{SELECTOR,{MEASURED}}}[RATE]))",
                    "{{status}}",
                ),
            ),
            unit="reqps",
        ),
        Panel(
            "Requests without an error of the server",
            (
                Query(
                    f'1 - (sum(rate(parley_http_requests_total{{SELECTOR,{MEASURED},status=~"5.."}}[RATE])) or'
                    " vector(0))"
                    f" / sum(rate(parley_http_requests_total{{SELECTOR,{MEASURED}}}[RATE]))",
                    "share",
                ),
            ),
            unit="percentunit",
            minimum=None,
            alert="ParleyApiAvailabilityBudgetBurns",
        ),
        Panel(
            "Response time, 95th percentile",
            (
                Query(
                    "histogram_quantile(0.95, sum by (method, route, le)"
                    f" (rate(parley_http_request_seconds_bucket{{SELECTOR,{MEASURED}}}[RATE])))",
                    "{{method}} {{route}}",
                ),
            ),
            unit="s",
            description="Of an upload, a long poll and a stream the caller decides.",
        ),
        Panel(
            "Response time of reading requests",
            tuple(
                Query(
                    f"histogram_quantile({share}, sum by (le)"
                    f" (rate(parley_http_request_seconds_bucket{{SELECTOR,{READING}}}[RATE])))",
                    name,
                )
                for share, name in ((0.5, "median"), (0.95, "95 %"), (0.99, "99 %"))
            ),
            unit="s",
            alert="ParleyApiLatencyBudgetBurns",
        ),
        Panel(
            "Problems, per minute",
            (Query("60 * sum by (code) (rate(parley_http_problems_total{SELECTOR}[RATE])) > 0", "{{code}}"),),
            description="Answers with an error, by its code: the reasons for which submits are refused among them.",
            alert="ParleyQueueFull",
        ),
        Panel(
            "Refused before they were served, per minute",
            (Query("60 * sum(rate(parley_http_refused_total{SELECTOR}[RATE]))", "refused"),),
            description="Connections and requests beyond the limits of the API, too slow or malformed.",
        ),
    ),
)

TENANTS = Row(
    "Tenants",
    (
        Panel(
            "Unfinished jobs by tenant",
            (Query("topk(10, max by (tenant) (parley_tenant_unfinished{SELECTOR}))", "{{tenant}}"),),
            width=8,
        ),
        Panel(
            "Jobs accepted by tenant, per hour",
            (
                Query(
                    "topk(10, 3600 * max by (tenant) (rate(parley_tenant_jobs_accepted_total{SELECTOR}[RATE])))",
                    "{{tenant}}",
                ),
            ),
            width=8,
        ),
        Panel(
            "Jobs ended by tenant, per hour",
            (
                Query(
                    "topk(10, 3600 * max by (tenant) (rate(parley_tenant_jobs_ended_total{SELECTOR}[RATE])))",
                    "{{tenant}}",
                ),
            ),
            width=8,
        ),
    ),
)

AUDIT = Row(
    "Audit log",
    (
        Panel(
            "Events, per minute",
            (
                Query("60 * sum(rate(parley_audit_events_total{SELECTOR}[RATE]))", "written"),
                Query("60 * sum(rate(parley_audit_failures_total{SELECTOR}[RATE]))", "lost"),
            ),
            description="Who read, changed, exported or shared what. Lost events could not be written.",
            alert="ParleyAuditNotWritable",
        ),
    ),
)

EXPIRIES = Row(
    "What expires",
    (
        Panel(
            "Days until API keys in use expire",
            (
                Query(
                    "bottomk(10, min by (tenant, key) (parley_api_key_expiry_timestamp_seconds{SELECTOR}) - time())"
                    " / 86400",
                    "{{tenant}} {{key}}",
                ),
            ),
            minimum=None,
            alert="ParleyApiKeyExpiring",
        ),
        Panel(
            "Days until certificates expire",
            (
                Query(
                    "(min by (certificate) (parley_certificate_expiry_timestamp_seconds{SELECTOR}) - time()) / 86400",
                    "{{certificate}}",
                ),
            ),
            minimum=None,
            alert="ParleyCertificateExpiring",
        ),
    ),
)

BOARD = Board(
    "parley-api", "Parley / API and tenants", "Requests, refusals and tenants.", (REQUESTS, TENANTS, AUDIT, EXPIRIES)
)
