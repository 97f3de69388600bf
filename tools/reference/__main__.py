"""Write reference pages: those that are named, else all."""

from __future__ import annotations

import sys

from tools.reference import pages

for name in sys.argv[1:] or pages.names():
    pages.path(name).write_text(pages.render(name), encoding="utf-8")
