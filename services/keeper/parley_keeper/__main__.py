"""`python -m parley_keeper`: one keeper. SIGTERM and SIGINT end it within seconds."""

from __future__ import annotations

import sys

from parley_core.process import importing
from parley_core.signals import end_at_sigterm

if __name__ == "__main__":
    end_at_sigterm()
    with importing():
        from parley_keeper.main import main

    sys.exit(main())
