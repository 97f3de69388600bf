"""In-memory ports and factories of values for tests.

The ports keep the same promises as the real ones (one contract suite runs on both), without Redis and without a disk.
"""

from tests.support.fakes.factories import id_of, new_job
from tests.support.fakes.jobs import MemoryJobStore
from tests.support.fakes.objects import MemoryRecordingStore
from tests.support.fakes.queue import MemoryJobQueue
from tests.support.fakes.voiceprints import MemoryVoiceprintStore

__all__ = [
    "MemoryJobQueue",
    "MemoryJobStore",
    "MemoryRecordingStore",
    "MemoryVoiceprintStore",
    "id_of",
    "new_job",
]
