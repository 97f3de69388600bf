"""`python -m parley_api`: serve the API until SIGTERM or Ctrl-C."""

from __future__ import annotations

import sys

from parley_core.process import compute_on_one_thread, importing
from parley_core.signals import end_at_sigterm

if __name__ == "__main__":
    end_at_sigterm()
    compute_on_one_thread()
    with importing():
        from parley_api.server import main

    sys.exit(main())
