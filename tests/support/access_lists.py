"""Access lists of Redis, written by the chart's own script."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path

SCRIPT = "write-acl.sh"


def write_access_lists(config: Mapping[str, str], passwords: Mapping[str, str], folder: Path) -> Path:
    """Run the script on the data of the ConfigMap and the Secret; return the folder of the lists.

    Raises:
        subprocess.CalledProcessError: the script refuses; its stderr says why.
    """
    lists = folder / "lists"
    for name, files in (("config", config), ("passwords", passwords)):
        (folder / name).mkdir(parents=True, exist_ok=True)
        for file, text in files.items():
            (folder / name / file).write_text(text)
    lists.mkdir(exist_ok=True)
    script = config[SCRIPT].replace("/etc/parley", str(folder)).replace("/run/parley", str(lists))
    subprocess.run(["sh", "-c", script], check=True, capture_output=True, text=True)
    return lists
