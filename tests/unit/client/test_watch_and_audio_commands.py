"""`parley watch` and `parley audio`: what they print where, what they leave on disk, and how they exit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from parley import Parley
from parley.cli.exit_codes import Exit
from tests.unit.client.command import FAILED, SUCCEEDED, parley
from tests.unit.client.scripted import JOB_ID, Reply, ScriptedServer, job_document, problem

JOB = f"/v1/jobs/{JOB_ID}"
AUDIO = f"{JOB}/audio"
OTHER_ID = "01a21a6c-6602-7000-8000-000000000002"
SOUND = "fLaC" * 100_000


def named(file_name: str) -> Reply:
    return Reply(document=SUCCEEDED | {"recording": SUCCEEDED["recording"] | {"file_name": file_name}})


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the command."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_watch_prints_a_line_per_step_and_the_ends(server: ScriptedServer) -> None:
    running = job_document(state="running", phase="embedding", progress=0.5)
    server.on("GET", JOB, Reply(document=job_document(state="queued")), Reply(document=running), Reply(document=FAILED))
    server.on("GET", f"/v1/jobs/{OTHER_ID}", Reply(document=SUCCEEDED | {"id": OTHER_ID}))
    result = parley("watch", JOB_ID, OTHER_ID, env={"COLUMNS": "160"})
    assert result.exit_code == Exit.JOB_FAILED
    steps = [line for line in result.stderr.splitlines() if line.startswith(JOB_ID)]
    assert [step.split(": ", 1)[1].split(" (")[0] for step in steps] == [
        "queued",
        "embedding",
        "failed: The recording is damaged.",
    ]
    assert [line.split()[:2] for line in result.stdout.splitlines()[1:]] == [
        [JOB_ID, "failed"],
        [OTHER_ID, "succeeded"],
    ]


def test_the_estimate_is_shown_while_a_job_waits_and_runs(server: ScriptedServer) -> None:
    running = job_document(
        state="running", phase="embedding", progress=0.5, eta={"seconds": 41.6, "low": 9, "high": 59.4}
    )
    queued = job_document(state="queued", position=3, eta={"seconds": 4_130, "low": 250, "high": 12_000})
    server.on("GET", JOB, Reply(document=queued), Reply(document=running), Reply(document=SUCCEEDED))
    steps = parley("watch", JOB_ID, env={"COLUMNS": "160"}).stderr.splitlines()
    assert f"({JOB_ID}), 1h 10m (4m 10s to 3h 20m) left" in steps[0]
    assert f"({JOB_ID}), 42s (9s to 59s) left" in steps[1]
    server.on("GET", f"/v1/jobs/{OTHER_ID}", Reply(document=running | {"id": OTHER_ID}))
    shown = parley("job", OTHER_ID).stdout
    assert "embedding 50%, 42s left" in shown
    assert [line.split(maxsplit=1)[1] for line in shown.splitlines() if line.startswith("eta ")] == ["42s (9s to 59s)"]
    server.on("GET", "/v1/jobs", Reply(document={"jobs": [queued], "next_cursor": None}))
    assert "3 ahead, 1h 10m left" in parley("jobs", env={"COLUMNS": "160"}).stdout


def test_watch_without_ids_follows_all_unfinished_jobs_once(server: ScriptedServer) -> None:
    page = Reply(document={"jobs": [job_document(state="queued")], "next_cursor": None})
    server.on("GET", "/v1/jobs", page)  # the job changes its state between the lists
    server.on("GET", JOB, Reply(document=SUCCEEDED))
    result = parley("watch", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (Exit.OK, [SUCCEEDED])
    assert [request.query["state"] for request in server.requests[:3]] == ["accepted", "queued", "running"]


def test_watch_with_nothing_to_watch_is_no_error(server: ScriptedServer) -> None:
    server.on("GET", "/v1/jobs", Reply(document={"jobs": [], "next_cursor": None}))
    result = parley("watch")
    assert (result.exit_code, result.stdout, "No job is unfinished." in result.stderr) == (Exit.OK, "", True)


def test_a_job_that_is_deleted_while_it_is_watched_does_not_stop_the_others(server: ScriptedServer) -> None:
    gone = problem(410, "job_purged", "The job was deleted.")
    server.on("GET", JOB, Reply(document=job_document(state="queued")), gone)
    server.on("GET", f"/v1/jobs/{OTHER_ID}", Reply(document=SUCCEEDED | {"id": OTHER_ID}))
    result = parley("watch", JOB_ID, OTHER_ID, "--json")
    first, second = json.loads(result.stdout)
    assert (result.exit_code, first["error"]["code"], second["state"]) == (Exit.REFUSED, "job_purged", "succeeded")


def test_watch_names_an_unknown_job_before_it_waits(server: ScriptedServer) -> None:
    server.on("GET", JOB, Reply(document=job_document(state="queued")))
    assert parley("watch", JOB_ID, OTHER_ID).exit_code == Exit.REFUSED
    assert len(server.requests) == 2


def test_audio_writes_the_recording_under_the_name_of_the_submitted_file(server: ScriptedServer, folder: Path) -> None:
    server.on("GET", JOB, named("consult.flac"))
    server.on("GET", AUDIO, Reply(text=SOUND))
    result = parley("audio", JOB_ID)
    assert (result.exit_code, result.stdout) == (Exit.OK, "consult.flac\n"), result.stderr
    assert [(path.name, path.read_text() == SOUND) for path in folder.iterdir()] == [("consult.flac", True)]


def test_audio_replaces_only_a_file_that_is_named(server: ScriptedServer, folder: Path) -> None:
    (folder / "consult.flac").write_text("mine")
    server.on("GET", JOB, named("consult.flac"))
    server.on("GET", AUDIO, Reply(text=SOUND))
    refused = parley("audio", JOB_ID)
    assert (refused.exit_code, "--output" in refused.stderr) == (Exit.USAGE, True)
    assert (folder / "consult.flac").read_text() == "mine"
    written = parley("audio", JOB_ID, "-o", "consult.flac", "--json")
    assert json.loads(written.stdout) == {"job_id": JOB_ID, "file": "consult.flac", "bytes": len(SOUND)}
    assert (folder / "consult.flac").read_text() == SOUND


@pytest.mark.parametrize(
    ("file_name", "written"),
    [("/etc/a.wav", "a.wav"), ("..\\..\\a.wav", "a.wav"), ("..", JOB_ID), ("", JOB_ID), ("\x1b[2J.wav", "�[2J.wav")],
)
def test_audio_stays_in_its_folder_whatever_the_name_says(
    server: ScriptedServer, folder: Path, file_name: str, written: str
) -> None:
    server.on("GET", JOB, named(file_name))
    server.on("GET", AUDIO, Reply(text="sound"))
    assert parley("audio", JOB_ID).stdout == f"{written}\n"
    assert [path.name for path in folder.iterdir()] == [written]


def test_a_recording_that_is_gone_leaves_no_file(server: ScriptedServer, folder: Path) -> None:
    server.on("GET", JOB, named("consult.flac"))
    server.on("GET", AUDIO, problem(410, "job_purged", "The recording is gone."))
    result = parley("audio", JOB_ID)
    assert (result.exit_code, "job_purged" in result.stderr) == (Exit.REFUSED, True)
    assert list(folder.iterdir()) == []


def test_audio_into_a_missing_folder_is_a_sentence(server: ScriptedServer, folder: Path) -> None:
    server.on("GET", JOB, named("consult.flac"))
    server.on("GET", AUDIO, Reply(text=SOUND))
    assert parley("audio", JOB_ID, "-o", folder / "none" / "a.flac").exit_code == Exit.USAGE


def test_a_download_that_breaks_off_begins_again(server: ScriptedServer, client: Parley, tmp_path: Path) -> None:
    cut = Reply(text="fL", headers={"Content-Length": "9"})
    server.on("GET", AUDIO, cut, Reply(text=SOUND))
    client.save_audio(JOB_ID, tmp_path / "a.flac")
    assert [(path.name, path.read_text() == SOUND) for path in tmp_path.iterdir()] == [("a.flac", True)]
    assert len(server.requests) == 2
