"""Usage as CSV by FOCUS 1.2, the FinOps Open Cost and Usage Specification (https://focus.finops.org/)."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from datetime import date, timedelta

from parley_core.status import Usage

COLUMNS = (
    "AvailabilityZone", "BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency",
    "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "ChargeClass", "ChargeDescription", "ChargeFrequency",
    "ChargePeriodEnd", "ChargePeriodStart", "CommitmentDiscountCategory", "CommitmentDiscountId",
    "CommitmentDiscountName", "CommitmentDiscountStatus", "CommitmentDiscountType", "ConsumedQuantity", "ConsumedUnit",
    "ContractedCost", "ContractedUnitPrice", "EffectiveCost", "InvoiceId", "InvoiceIssuerName", "ListCost",
    "ListUnitPrice", "PricingCategory", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName", "RegionId",
    "RegionName", "ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory",
    "SkuId", "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags",
    "x_Attempts", "x_Cancelled", "x_EngineCpuHours", "x_EngineHours", "x_Failed", "x_Queue", "x_Succeeded",
    "x_TranscribedHours", "x_WaitHours",
)  # fmt: skip
"""All mandatory columns, the others that consumers of version 1.0 ask for, and ours, which begin with `x_`."""

PROVIDER = "Parley"
CONSTANT = {
    "BilledCost": "0.0",
    "BillingAccountId": "parley",
    "BillingAccountName": PROVIDER,
    "BillingAccountType": "Deployment",
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargeFrequency": "Usage-Based",
    "ConsumedUnit": "Hours",
    "ContractedCost": "0.0",
    "EffectiveCost": "0.0",
    "InvoiceIssuerName": PROVIDER,
    "ListCost": "0.0",
    "PricingCategory": "Standard",
    "PricingUnit": "Hours",
    "ProviderName": PROVIDER,
    "PublisherName": PROVIDER,
    "ServiceCategory": "AI and Machine Learning",
    "ServiceName": "Speaker diarization",
    "ServiceSubcategory": "Natural Language Processing",
    "SubAccountType": "Tenant",
}
"""Parley has no prices: all costs are 0, in a currency that the format demands."""


def to_focus(tenant: str, usages: Sequence[Usage]) -> str:
    """Return a row per day and queue: hours of audio of the jobs that succeeded, and what else is known of that day."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    for usage in usages:
        sku = f"audio-hours-{usage.queue}"
        writer.writerow(
            CONSTANT
            | {
                "BillingPeriodStart": _midnight(usage.day.replace(day=1)),
                "BillingPeriodEnd": _midnight((usage.day.replace(day=1) + timedelta(days=31)).replace(day=1)),
                "ChargePeriodStart": _midnight(usage.day),
                "ChargePeriodEnd": _midnight(usage.day + timedelta(days=1)),
                "ChargeDescription": f"Recordings in the queue {usage.queue}",
                "ConsumedQuantity": _hours(usage.audio_seconds),
                "PricingQuantity": _hours(usage.audio_seconds),
                "SkuId": sku,
                "SkuPriceId": sku,
                "SubAccountId": tenant,
                "SubAccountName": tenant,
                "x_Attempts": usage.attempts,
                "x_Cancelled": usage.cancelled,
                "x_EngineCpuHours": _hours(usage.engine_cpu_seconds),
                "x_EngineHours": _hours(usage.engine_seconds),
                "x_Failed": usage.failed,
                "x_Queue": usage.queue,
                "x_Succeeded": usage.succeeded,
                "x_TranscribedHours": _hours(usage.transcribed_seconds),
                "x_WaitHours": _hours(usage.wait_seconds),
            }
        )
    return file.getvalue()


def _midnight(day: date) -> str:
    return f"{day.isoformat()}T00:00:00Z"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.9f}"  # milliseconds are 3e-7 hours: sums agree with those of the JSON
