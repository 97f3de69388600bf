"""httpx without its command line.

Where click, rich and pygments are installed, `import httpx` also imports httpx's own command line, which more than
doubles the processor time of the import (0.36 s instead of 0.16 s on a 2-core machine, Python 3.11, httpx 0.28.1). A
module that is None in `sys.modules` cannot be imported; httpx then does what it does where the three are missing.
https://docs.python.org/3/reference/import.html#the-module-cache
"""

import sys

COMMAND_LINE = "httpx._main"

if "httpx" in sys.modules:
    import httpx
else:
    sys.modules[COMMAND_LINE] = None  # type: ignore[assignment]  # the documented value that blocks an import
    try:
        import httpx
    finally:
        del sys.modules[COMMAND_LINE]

__all__ = ["httpx"]
