"""Every control of the table of threats is where the table says, and so is its test."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.security.controls import ROOT, Control, controls

CONTROLS = list(controls())


@pytest.mark.parametrize("control", CONTROLS, ids=[one.control for one in CONTROLS])
def test_a_control_can_be_taken_out_and_has_a_test(control: Control, tmp_path: Path) -> None:
    copy = tmp_path / control.file
    copy.parent.mkdir(parents=True)
    copy.write_text((ROOT / control.file).read_text())
    control.take_out(tmp_path)
    assert copy.read_text() != (ROOT / control.file).read_text()
    file, _, name = control.test.partition("::")
    assert f"def {name.partition('[')[0]}" in (ROOT / file).read_text()


def test_a_control_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("pass\n")
    with pytest.raises(ValueError, match=r"code.py does not have"):
        Control("t", "c", "test", "code.py", "gone", "").take_out(tmp_path)
