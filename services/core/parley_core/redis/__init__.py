"""The job store on Redis or Valkey (7 or newer).

Files: connection (address, timeouts, errors by class), scripts (one Lua file per move, loaded once),
reads (what only looks), moves (what changes: one script each).
"""

from parley_core.redis.connection import connect
from parley_core.redis.transitions import RedisJobStore

__all__ = ["RedisJobStore", "connect"]
