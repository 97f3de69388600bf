"""In-memory ports, a scripted engine and factories: for our tests, and for users who build on Parley.

They keep the same promises as the real ones (one contract suite runs on both), without Redis, disk or models.
"""

from parley_worker.engines.scripted import ScriptedEngine, scripted_engine
from tests.support.fakes.factories import new_job
from tests.support.fakes.jobs import MemoryJobStore
from tests.support.fakes.objects import MemoryJournal, MemoryRecordingStore
from tests.support.fakes.queue import MemoryJobQueue
from tests.support.fakes.voiceprints import MemoryVoiceprintStore

__all__ = [
    "MemoryJobQueue",
    "MemoryJobStore",
    "MemoryJournal",
    "MemoryRecordingStore",
    "MemoryVoiceprintStore",
    "ScriptedEngine",
    "new_job",
    "scripted_engine",
]
