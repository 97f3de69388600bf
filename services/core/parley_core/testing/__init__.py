"""In-memory ports, a scripted engine and factories: for our tests, and for users who build on Parley.

They keep the same promises as the real ones (one contract suite runs on both), without Redis, disk or models.
"""

from parley_core.testing.engine import ScriptedEngine, scripted_engine
from parley_core.testing.factories import new_job
from parley_core.testing.jobs import MemoryJobStore
from parley_core.testing.objects import MemoryJournal, MemoryRecordingStore
from parley_core.testing.queue import MemoryJobQueue
from parley_core.testing.voices import MemoryVoiceStore

__all__ = [
    "MemoryJobQueue",
    "MemoryJobStore",
    "MemoryJournal",
    "MemoryRecordingStore",
    "MemoryVoiceStore",
    "ScriptedEngine",
    "new_job",
    "scripted_engine",
]
