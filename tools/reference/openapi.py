"""The OpenAPI document of a server with API keys and default settings, as JSON."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from tempfile import TemporaryDirectory

from parley_api.main import create_app
from parley_core.settings import Settings

SUFFIX = ".json"


def render() -> str:
    """Return the document."""
    with TemporaryDirectory() as folder:
        keys = Path(folder) / "keys"
        keys.write_text(f"tenant:{hashlib.sha256(b'key').hexdigest()}\n")
        settings = Settings(api_keys_file=keys, objects_url=f"file://{folder}/objects", max_speakers=50)
        return json.dumps(create_app(settings).openapi(), indent=2)
