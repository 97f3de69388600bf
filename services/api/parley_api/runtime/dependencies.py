"""The ports that the routes use and the state of one API process, made once; tests put in-memory ports here."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from limits.aio.storage import Storage

from parley_api.http.audit_log import AuditLog
from parley_api.http.middleware import HttpMetrics
from parley_api.links import fetching
from parley_api.links.link import LinkPolicy
from parley_api.runtime.admission import Admission
from parley_api.runtime.batches import Batches
from parley_api.runtime.blocking_calls import PROBES, BlockingCalls
from parley_api.runtime.callbacks import Callbacks
from parley_api.runtime.expiries import Expiries
from parley_api.runtime.job_notifications import JobNotifications, RedisJobNotifications
from parley_api.runtime.keys import ApiKeys
from parley_api.runtime.probe import RecordingProbe, SandboxedProbe
from parley_api.runtime.readiness import Readiness
from parley_api.runtime.shares import Shares
from parley_api.runtime.stored_keys import StoredKeys
from parley_api.runtime.tenant_limits import TenantLimits, redis_storage
from parley_api.runtime.tenant_slots import TenantSlots
from parley_api.runtime.uploads import Uploads
from parley_core.celery_queue import CeleryJobQueue
from parley_core.durable_job_store import DurableJobStore
from parley_core.ports import JobQueue, RecordingStore
from parley_core.redis.deliveries import RedisDeliveries
from parley_core.redis.voiceprints import RedisVoiceprintStore
from parley_core.redis.words_requests import RedisWordsRequests
from parley_core.settings import Settings
from parley_core.storage.objects import object_store
from parley_core.voiceprints import VoiceprintStore

if TYPE_CHECKING:
    from parley_api.runtime.tokens import Tokens


@dataclass(slots=True)
class Dependencies:
    """The ports, and the state of this process.

    Attributes:
        blocking: runs the synchronous ports in threads.
        admission: refuses submits before their body is read.
        readiness: tells which component is down.
        uploads: slots for recordings that are received.
        open_uploads: recordings that arrive in parts.
        probes: slots for recordings that are measured.
        waits: slots for calls that wait for a job.
        links: which links a tenant may give.
        fetcher: fetches recordings by links.
        fetches: slots for recordings that are fetched.
        batches: what was submitted by one request.
        batch_items: slots for recordings of batches, fewer than those above, so that a batch leaves the others theirs.
        callbacks: checks addresses of deliveries.
        stored_keys: keys that tenants have made; they count where there is a keys file.
        shares: links that open one job without a key.
        keys: None where the server has no keys file.
        rates: where the rates of tenants are counted; None counts in memory.
        limits: of tenants; they count where there is a keys file.
        tokens: signed tokens of other issuers; None where the server has no file of issuers.
        audit: who did what.
        expiries: API keys in use and certificates that expire.
    """

    settings: Settings
    store: DurableJobStore
    recordings: RecordingStore
    queue: JobQueue
    probe: RecordingProbe
    voiceprints: VoiceprintStore
    deliveries: RedisDeliveries
    words_requests: RedisWordsRequests
    notifications: JobNotifications = field(default_factory=JobNotifications)
    http_metrics: HttpMetrics = field(default_factory=HttpMetrics)
    rates: Storage | None = None
    blocking: BlockingCalls = field(init=False)
    admission: Admission = field(init=False)
    readiness: Readiness = field(init=False)
    uploads: TenantSlots = field(init=False)
    open_uploads: Uploads = field(init=False)
    probes: TenantSlots = field(init=False)
    waits: TenantSlots = field(init=False)
    keys: ApiKeys | None = field(init=False)
    stored_keys: StoredKeys = field(init=False)
    shares: Shares = field(init=False)
    callbacks: Callbacks = field(init=False)
    links: LinkPolicy = field(init=False)
    fetcher: fetching.LinkFetcher = field(init=False)
    fetches: TenantSlots = field(init=False)
    batches: Batches = field(init=False)
    batch_items: TenantSlots = field(init=False)
    limits: TenantLimits = field(init=False)
    tokens: Tokens | None = field(init=False)
    expiries: Expiries = field(init=False)
    audit: AuditLog = field(init=False)

    def __post_init__(self) -> None:
        self.blocking = BlockingCalls(self.settings.redis_timeout_seconds)
        most = self.settings.max_uploads
        self.uploads = TenantSlots(most, min(self.settings.tenant_uploads, most // 2))
        self.open_uploads = Uploads(self.recordings, self.settings.upload_seconds)
        most = self.settings.max_connections
        self.waits = TenantSlots(most, max(1, min(self.settings.tenant_waits, most // 2)))
        self.probes = TenantSlots(PROBES, PROBES - 1)
        self.admission = Admission(self.store, self.blocking, self.settings)
        self.readiness = Readiness(self.store, self.recordings, self.blocking)
        self.stored_keys = StoredKeys(self.recordings)
        self.audit = AuditLog.from_settings(self.settings)
        self.expiries = Expiries(self.settings.certificates_folder)
        self.shares = Shares(self.recordings, self.settings.longest_share_seconds)
        self.callbacks = Callbacks(self.settings)
        self.links = LinkPolicy(self.settings)
        self.fetcher = fetching.LinkFetcher(self.settings)
        self.fetches = TenantSlots(fetching.AT_ONCE, fetching.AT_ONCE // 2)
        self.batches = Batches(self.recordings)
        self.batch_items = TenantSlots(fetching.AT_ONCE // 2, fetching.AT_ONCE // 4)
        self.limits = TenantLimits(self.settings, self.store, self.blocking, self.rates)
        self.keys = ApiKeys(self.settings.api_keys_file) if self.settings.api_keys_file else None
        self.tokens = None
        if self.settings.token_issuers_file:
            from parley_api.runtime.tokens import (
                Tokens,  # a tenth of the processor time of a start, for those who use it
            )

            self.tokens = Tokens(self.settings.token_issuers_file)


def connect(settings: Settings) -> Dependencies:
    """Return the real ports; they connect at their first call.

    Raises:
        UnsafeSettings: the API keys file cannot be used.
    """
    objects = object_store(settings)
    return Dependencies(
        settings=settings,
        store=DurableJobStore.from_settings(settings, objects),
        recordings=objects,
        queue=CeleryJobQueue.from_settings(settings),
        probe=SandboxedProbe(settings),
        voiceprints=RedisVoiceprintStore.from_settings(settings),
        deliveries=RedisDeliveries.from_settings(settings),
        words_requests=RedisWordsRequests.from_settings(settings),
        rates=redis_storage(settings),
        notifications=RedisJobNotifications(settings.redis_url.get_secret_value(), settings.redis_timeout_seconds),
    )
