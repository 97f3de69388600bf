"""The job store on Redis or Valkey (7 or newer).

    connection.py   address, timeouts, errors by class
    scripts.py      one Lua file per move, loaded once
    reads.py        what only looks
    moves.py        what changes: one script each
"""

from parley_core.redis_jobs.connection import connect
from parley_core.redis_jobs.moves import RedisJobStore

__all__ = ["RedisJobStore", "connect"]
