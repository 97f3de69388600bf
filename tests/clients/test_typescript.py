"""openapi-typescript makes types from the document; with them, a client type-checks and works."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.clients.conftest import DOCUMENT, KEY, LONG
from tests.support.api_process import ApiProcess
from tests.support.containers import flac

PACKAGES = {
    "openapi-typescript": "7.13.0",
    "openapi-fetch": "0.17.0",
    "typescript": "5.9.3",
    "esbuild": "0.25.12",
    "@types/node": "20.19.25",
}
COMPILER = {"strict": True, "module": "esnext", "moduleResolution": "bundler", "target": "es2022", "noEmit": True}


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
@pytest.mark.timeout(LONG)
def test_a_generated_typescript_client_works(api: ApiProcess, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"type": "module", "devDependencies": PACKAGES}))
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": COMPILER, "include": ["use.ts"]}))
    shutil.copy(Path(__file__).with_name("use.ts"), tmp_path)
    (tmp_path / "visit.flac").write_bytes(flac(0.5))

    def run(*command: str | Path) -> str:
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    run("npm", "install", "--no-audit", "--no-fund", "--silent")
    said = run("npx", "openapi-typescript", DOCUMENT, "--output", "schema.d.ts")
    assert "warning" not in said.lower(), said
    run("npx", "tsc")
    run(
        "npx",
        "esbuild",
        "use.ts",
        "--bundle",
        "--platform=node",
        "--format=esm",
        "--outfile=use.mjs",
        "--log-level=error",
    )
    run("node", "use.mjs", api.url, KEY, tmp_path / "visit.flac")
