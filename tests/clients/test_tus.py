"""Two independent clients of the tus protocol upload a recording over a connection that is cut several times."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients.conftest import KEY, LONG
from tests.support.api_process import ApiProcess
from tests.support.containers import pcm
from tests.support.proxy import TcpProxy

PACKAGES = {"tus-js-client": "4.3.1"}
CUTS_EVERY = 0.15  # seconds

PYTHON = """
import sys
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError

address, key, recording = sys.argv[1:]
client = TusClient(f"{address}/v1/uploads", headers={"Authorization": f"Bearer {key}"})
url, uploader = None, None
while uploader is None or uploader.offset < uploader.get_file_size():  # it asks for the offset once only
    try:
        uploader = client.uploader(recording, url=url, chunk_size=100_000, metadata={"filename": "visit.wav"})
        url = uploader.url or uploader.create_url()
        uploader.set_url(url)
        uploader.upload()
    except TusCommunicationError as error:
        uploader = None
print(url)
"""
JAVASCRIPT = """
import { createReadStream, statSync } from "node:fs";
import * as tus from "tus-js-client";

const [address, key, recording] = process.argv.slice(2);
const upload = new tus.Upload(createReadStream(recording), {
  endpoint: `${address}/v1/uploads`,
  headers: { Authorization: `Bearer ${key}` },
  uploadSize: statSync(recording).size,
  chunkSize: 100_000,
  retryDelays: Array(50).fill(50),
  metadata: { filename: "visit.wav" },
  onError: (error) => { console.error(error); process.exit(1); },
  onSuccess: () => console.log(upload.url),
});
upload.start();
"""


@pytest.fixture
def cut(api: ApiProcess) -> Iterator[TcpProxy]:
    """A proxy of the API that cuts all connections again and again."""
    stop = threading.Event()
    with TcpProxy(api.port) as proxy:

        def cut() -> None:
            while not stop.wait(CUTS_EVERY):
                proxy.cut()

        thread = threading.Thread(target=cut)
        thread.start()
        yield proxy
        stop.set()
        thread.join()


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "visit.wav"
    path.write_bytes(pcm(60, 48_000))
    return path


def assert_arrived(api: ApiProcess, said: str, recording: Path) -> None:
    """The upload that a client names becomes a job with the bytes of the recording."""
    body = {"upload": said.strip().rpartition("/")[2]}
    accepted = api.http.post("/v1/jobs", json=body, headers={"Authorization": f"Bearer {KEY}"})
    assert accepted.status_code == 202, accepted.text
    stored = accepted.json()["recording"]
    assert stored["sha256"] == hashlib.sha256(recording.read_bytes()).hexdigest()
    assert stored["file_name"] == "visit.wav"


@pytest.mark.timeout(LONG)
def test_tuspy_uploads_over_cuts(api: ApiProcess, cut: TcpProxy, recording: Path, tmp_path: Path) -> None:
    environment = tmp_path / "environment"
    uv = Path(sys.executable).parent / "uv"
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, environment], check=True)
    install = [uv, "pip", "install", "--quiet", "--python", environment / "bin" / "python", "--require-hashes"]
    subprocess.run([*install, "-r", Path(__file__).with_name("requirements-tus.txt")], check=True)
    address = f"http://127.0.0.1:{cut.port}"
    use = [environment / "bin" / "python", "-c", PYTHON, address, KEY, recording]
    used = subprocess.run(use, capture_output=True, text=True, check=False)
    assert used.returncode == 0, used.stderr
    assert_arrived(api, used.stdout, recording)


@pytest.mark.skipif(shutil.which("npm") is None, reason="needs npm")
@pytest.mark.timeout(LONG)
def test_tus_js_client_uploads_over_cuts(api: ApiProcess, cut: TcpProxy, recording: Path, tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text(json.dumps({"type": "module", "dependencies": PACKAGES}))
    (tmp_path / "use.mjs").write_text(JAVASCRIPT)
    subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=tmp_path, check=True)
    use = ["node", "use.mjs", f"http://127.0.0.1:{cut.port}", KEY, recording]
    used = subprocess.run(use, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert used.returncode == 0, used.stderr
    assert_arrived(api, used.stdout, recording)
