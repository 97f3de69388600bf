"""`python -m parley_worker`: one worker process and its children."""

from __future__ import annotations

import sys

from parley_worker.celery.worker import main

if __name__ == "__main__":
    sys.exit(main())
