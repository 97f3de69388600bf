"""Rendering needs helm and two packages that only developers of the chart have."""

import pytest

pytest.importorskip("kubernetes_validate", reason="kubernetes-validate is not installed (requirements/dev.txt)")
