"""The table of threats, from the controls that `make security-controls` takes out."""

from __future__ import annotations

from tools.reference.markdown import table
from tools.security.controls import controls

INTRODUCTION = """# Threats and controls

Each control has a test that fails when the control is taken out. `make security-controls` takes all of them out in
copies of the code, one by one, and shows it (ten minutes). [Security](../security.md) has the picture, and what lies
outside."""


def render() -> str:
    """Return the page."""
    rows = [(one.threat, one.control, f"`{one.test.removeprefix('tests/')}`") for one in controls()]
    return f"{INTRODUCTION}\n\n{table(('Threat', 'Control', 'Test that fails without it'), rows)}"
