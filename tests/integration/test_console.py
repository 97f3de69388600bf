"""The console in a real Chromium, on a real API: every test also fails on a script error and on a foreign request."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from parley_core.job import Failure, GiveUp, Job, Phase
from parley_core.recording import words_key
from parley_core.redis.words_requests import RedisWordsRequests
from parley_core.settings import Settings
from parley_core.transcript import Transcript, Transcription, Word
from tests.support.api_process import ApiProcess
from tests.support.browser import Watched, chromium, violations
from tests.support.containers import pcm
from tests.support.conversations import Conversation, Shelf, conversation, voices_of
from tests.support.prefix_proxy import PrefixProxy

WIDE, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}
Open = Callable[..., Page]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def visit(browser: Browser, api: ApiProcess) -> Iterator[Open]:
    """Return a function that opens a path in a fresh browser profile."""
    opened: list[Watched] = []

    def go(path: str = "/", dark: bool = False, phone: bool = False, url: str = api.url) -> Page:
        context = browser.new_context(viewport=PHONE if phone else WIDE, color_scheme="dark" if dark else "light")  # type: ignore[arg-type]
        watched = Watched(context, url)
        opened.append(watched)
        watched.page.goto(url + path)
        return watched.page

    yield go
    faults = [(watched.faults, watched.foreign) for watched in opened]
    for watched in opened:
        watched.page.context.close()
    assert faults == [([], [])] * len(faults)


@pytest.fixture
def shelf(api_settings: Settings) -> Shelf:
    return Shelf(api_settings)


@pytest.fixture(scope="module")
def said() -> Conversation:
    return conversation(60, 3, seed=5)


def path_of(job: Job) -> str:
    return f"/v1/jobs/{job.id}/timeline"


def drop(page: Page, name: str, size: int) -> None:
    """Drop a recording of this many bytes on the page, as a mouse would."""
    sound = pcm(size / 32_000)
    page.evaluate(
        """([name, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([new Uint8Array(bytes)], name));
            const details = {dataTransfer: transfer, bubbles: true, cancelable: true};
            for (const type of ["dragover", "drop"]) document.body.dispatchEvent(new DragEvent(type, details));
        }""",
        [name, list(sound)],
    )


def position(page: Page) -> float:
    """Return the second at which the player stands."""
    return float(page.get_by_role("slider").get_attribute("aria-valuenow") or "nan")


def test_a_dropped_file_is_sent_with_progress_and_listed(visit: Open, api: ApiProcess) -> None:
    page = visit()
    expect(page.get_by_text("No recordings yet.")).to_be_visible()
    network = page.context.new_cdp_session(page)
    slow = {"offline": False, "latency": 0, "downloadThroughput": -1, "uploadThroughput": 200_000}
    network.send("Network.emulateNetworkConditions", slow)
    page.get_by_label("Reference", exact=True).first.fill("visit-1")
    drop(page, "visit one.wav", 300_000)
    progress = page.get_by_role("progressbar", name="Upload of visit one.wav")
    expect(progress).to_have_attribute("aria-valuetext", re.compile(r"^[1-9]\d? %$"))
    expect(page.get_by_role("link", name="visit one.wav")).to_be_visible()
    expect(progress).to_have_count(0)
    [job] = api.http.get("/v1/jobs").json()["jobs"]
    assert (job["reference"], job["recording"]["file_name"]) == ("visit-1", "visit one.wav")


def test_a_file_that_is_no_recording_is_refused_in_words(visit: Open) -> None:
    page = visit()
    page.locator("input[type=file]").set_input_files(
        {"name": "a.wav", "mimeType": "audio/wav", "buffer": b"text " * 99}
    )
    expect(page.get_by_role("alert")).to_contain_text("Parley does not read this format")
    expect(page.get_by_role("button", name="Send again")).to_be_visible()


def test_the_list_is_filtered_by_state_and_reference(visit: Open, shelf: Shelf, said: Conversation) -> None:
    shelf.succeeded(said, "done.flac", "one")
    shelf.accepted(said, "waits.flac", "two")
    page = visit()
    rows = page.locator(".jobs tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Done").click()
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("done.flac")
    page.get_by_role("button", name="All", exact=True).click()
    reference = page.get_by_role("searchbox", name="Reference")
    reference.fill("two")
    reference.press("Enter")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("waits.flac")


def test_a_queue_without_workers_and_healthy_stores_are_shown(visit: Open, shelf: Shelf, said: Conversation) -> None:
    shelf.accepted(said, "waits.flac")
    page = visit()
    expect(page.get_by_label("Queues")).to_contain_text("Waiting1")
    health = page.get_by_label("Health")
    expect(health).to_contain_text("Redis answers")
    expect(health).to_contain_text("A queue has no worker")
    page.get_by_role("link", name="Health").click()
    expect(page.get_by_label("Checks")).to_contain_text("Queue interactive: 0 workers, 0 running, 1 waiting.")
    shelf.accepted(said, "waits too.flac")
    expect(page.get_by_label("Checks")).to_contain_text("0 running, 2 waiting.")  # the page looks again by itself


def test_a_job_is_followed_from_waiting_to_its_turns(visit: Open, shelf: Shelf, said: Conversation) -> None:
    job = shelf.accepted(said, "visit.flac")
    page = visit(path_of(job))
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    lease = shelf.start(job)
    shelf.store.renew(lease, 60, Phase.EMBEDDING, 0.4)
    expect(page.get_by_text("Comparing voices")).to_be_visible()
    expect(page.get_by_role("progressbar")).to_have_attribute("aria-valuetext", "40 %")
    shelf.succeed(job, lease, said)
    expect(page.get_by_role("slider")).to_be_visible()
    expect(page.locator(".turn")).to_have_count(len(said.turns))


def test_a_failed_job_says_why_and_can_be_tried_again(visit: Open, shelf: Shelf, said: Conversation) -> None:
    job = shelf.accepted(said, "visit.flac")
    shelf.store.fail_attempt(shelf.start(job), Failure("unreadable_recording", "The recording is damaged."), GiveUp())
    page = visit(path_of(job))
    expect(page.get_by_text("The recording is damaged.")).to_be_visible()
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()


def test_a_job_without_its_recording_shows_its_turns_and_says_so(visit: Open, shelf: Shelf, said: Conversation) -> None:
    done, failed = shelf.succeeded(said, "visit.flac"), shelf.accepted(said, "other.flac")
    shelf.store.cancel(failed.id)
    for job in (done, failed):
        shelf.store.index.note_recording_removed(job.id)
    page = visit(path_of(done))
    expect(page.get_by_text("The recording is no longer kept.")).to_be_visible()
    expect(page.get_by_role("button", name="Play", exact=True)).to_be_disabled()
    page.locator(".turn").nth(2).click()
    expect(page.locator(".turn.selected")).to_have_attribute("data-index", "2")
    page.get_by_role("button", name="Download").click()
    expect(page.locator(".menu-items button", has_text="RTTM")).to_be_visible()
    expect(page.locator(".menu-items button", has_text="Recording")).to_have_count(0)
    expect(visit(path_of(failed)).get_by_text("cannot be tried again")).to_be_visible()


def test_a_click_on_the_timeline_seeks_and_selects_the_turn(visit: Open, shelf: Shelf, said: Conversation) -> None:
    page = visit(path_of(shelf.succeeded(said, "visit.flac")))
    stage = page.get_by_role("slider")
    box = stage.bounding_box()
    assert box is not None
    turn = max(said.turns, key=lambda one: one.end - one.start)
    lane = list(dict.fromkeys(one.speaker for one in said.turns)).index(turn.speaker)
    middle = (turn.start + turn.end) / 2
    stage.click(position={"x": middle / said.seconds * box["width"], "y": 26 + 76 + 34 * lane + 17})
    expect(page.locator(".turn.selected")).to_have_attribute("data-index", str(said.turns.index(turn)))
    assert position(page) == pytest.approx(middle, abs=1.1)
    expect(page.locator(".who")).to_contain_text(f"Speaker {lane + 1}")
    stage.click(position={"x": box["width"] / 2, "y": 13})
    assert position(page) == pytest.approx(said.seconds / 2, abs=1.1)


def test_the_keyboard_plays_seeks_zooms_and_steps(visit: Open, shelf: Shelf, said: Conversation) -> None:
    page = visit(path_of(shelf.succeeded(said, "visit.flac")))
    stage = page.get_by_role("slider")
    stage.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert position(page) == 10
    page.keyboard.press("Shift+ArrowLeft")
    assert position(page) == 9
    page.keyboard.press("End")
    assert position(page) == int(said.seconds)
    page.keyboard.press("Home")
    page.keyboard.press("n")
    expect(page.locator(".turn.selected")).to_have_attribute("data-index", "0")
    page.keyboard.press("+")
    expect(page.locator(".zoom")).to_have_text("2.0×")
    page.keyboard.press("0")
    expect(page.locator(".zoom")).to_have_text("1.0×")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("Keyboard shortcuts")
    page.get_by_label("Use shortcuts of one key").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("+")
    expect(page.locator(".zoom")).to_have_text("1.0×")


# The browser knows the length of a recording for a moment before it says so.
SEEKS_AROUND_THE_LENGTH = """async () => {
  const { Player } = await import("/console/js/job/player.js");
  const player = new Player(null, new AbortController().signal);
  player.seek(5);
  Object.defineProperty(player.audio, "readyState", { value: 1 });
  player.seek(player.time + 5);
  player.audio.dispatchEvent(new Event("loadedmetadata"));
  return player.time;
}"""


def test_a_seek_counts_that_comes_while_the_length_arrives(visit: Open) -> None:
    assert visit().evaluate(SEEKS_AROUND_THE_LENGTH) == 10


def test_arrows_walk_through_the_list_of_turns(visit: Open, shelf: Shelf, said: Conversation) -> None:
    page = visit(path_of(shelf.succeeded(said, "visit.flac")))
    first = page.locator(".turn").first
    first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator(".turn.selected")).to_have_attribute("data-index", "1")
    assert position(page) == int(said.turns[1].start)
    expect(page.locator('.turn[tabindex="0"]')).to_have_count(1)


def test_it_plays_and_marks_the_turn_that_sounds(visit: Open, shelf: Shelf, said: Conversation) -> None:
    page = visit(path_of(shelf.succeeded(said, "visit.flac")))
    page.get_by_label("Speed").select_option("2")
    page.locator(".turn").nth(3).click()
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    expect(page.locator('.turn[aria-current="true"]')).to_have_attribute("data-index", re.compile(r"^[3-9]$"))
    page.wait_for_function("start => Number(document.querySelector('.stage').ariaValueNow) > start", arg=position(page))
    page.keyboard.press("k")
    expect(page.get_by_role("button", name="Play")).to_be_visible()


def test_review_begins_with_the_longest_doubt(visit: Open, shelf: Shelf) -> None:
    said = conversation(1200, 3, seed=2)
    doubtful = [turn for turn in said.turns if (turn.confidence or 1) < 0.6]
    best = max(doubtful, key=lambda turn: (1 - (turn.confidence or 1)) * (turn.end - turn.start))
    page = visit(path_of(shelf.succeeded(said, "visit.flac")))
    page.get_by_role("button", name=f"To review {len(doubtful)}").click()
    expect(page.locator(".turn")).to_have_count(len(doubtful))
    page.get_by_role("button", name="Check the next").click()
    expect(page.locator(".turn.selected")).to_have_attribute("data-index", str(said.turns.index(best)))


def sign(page: Page, name: str) -> None:
    """Enter the author, which the page asks for before the first correction."""
    page.get_by_label("Your name").fill(name)
    page.get_by_role("button", name="Continue").click()


def turns_of(api: ApiProcess, job: Job) -> list[dict[str, object]]:
    turns: list[dict[str, object]] = api.http.get(f"/v1/jobs/{job.id}/turns?format=json").json()["turns"]
    return turns


def test_turns_are_corrected_by_mouse_and_keyboard_and_taken_back(
    visit: Open, shelf: Shelf, said: Conversation, api: ApiProcess
) -> None:
    job = shelf.succeeded(said, "visit.flac")
    before = turns_of(api, job)
    page = visit(path_of(job), dark=True)
    version = page.locator(".version")
    page.locator(".turn").nth(2).click()
    page.locator(".answer").nth(1).click()
    sign(page, "A. Weber")
    expect(version).to_contain_text("Version 1, by A. Weber")
    expect(page.locator(".turn.selected")).to_contain_text("Speaker 2")
    page.keyboard.press("3")
    expect(version).to_contain_text("Version 2")
    page.keyboard.press("Control+z")
    expect(version).to_contain_text("Version 3")
    page.keyboard.press("Control+Shift+z")
    expect(version).to_contain_text("Version 4")
    assert (turns_of(api, job)[2]["speaker"], turns_of(api, job)[2]["confirmed"]) == ("SPEAKER_02", True)
    page.get_by_label("End, s").fill("0")
    page.get_by_role("button", name="Move", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("must be less than")
    for number, name in enumerate(("Undo", "Redo", "Undo", "Undo"), 5):
        page.get_by_role("button", name=name).click()
        expect(version).to_contain_text(f"Version {number}")
    expect(page.get_by_role("button", name="Undo")).to_be_disabled()
    assert turns_of(api, job) == before


def test_questions_by_voice_are_answered_by_keys_and_the_rest_follows(
    visit: Open, shelf: Shelf, said: Conversation, api: ApiProcess
) -> None:
    people = [said.speakers.index(turn.speaker) for turn in said.turns]
    one_person = [0 if person == 2 else person for person in people]
    job = shelf.succeeded(said, "visit.flac", voices=voices_of(one_person))
    page = visit(path_of(job))
    page.get_by_role("button", name="Check the next").wait_for()
    page.keyboard.press("r")
    question = page.locator(".question")
    expect(question).to_have_text(re.compile(r"Is Speaker \d the same person as Speaker \d\?"))
    assert violations(page) == []
    before = position(page)
    page.keyboard.press("e")
    page.wait_for_function("at => Number(document.querySelector('.stage').ariaValueNow) !== at", arg=before)
    page.keyboard.press("y")
    sign(page, "A. Weber")
    expect(page.locator(".lane-names li")).to_have_count(2)
    assert {turn["speaker"] for turn in turns_of(api, job)} < set(said.speakers)
    page.keyboard.press("Control+z")
    expect(page.locator(".lane-names li")).to_have_count(3)
    page.get_by_role("button", name="Check the next").click()
    page.get_by_role("button", name="No", exact=True).click()
    expect(page.locator(".version")).to_contain_text("Version 3")
    expect(question.filter(has_text="the same person as Speaker 1?").filter(has_text="Is Speaker 3")).to_have_count(0)


def test_turns_with_the_voice_of_an_answer_follow(
    visit: Open, shelf: Shelf, said: Conversation, api: ApiProcess
) -> None:
    people = [said.speakers.index(turn.speaker) for turn in said.turns]
    wrong = [number for number, person in enumerate(people) if person == 2][:3]
    job = shelf.succeeded(said, "visit.flac", voices=voices_of([0 if n in wrong else p for n, p in enumerate(people)]))
    page = visit(path_of(job))
    page.locator(".turn").nth(wrong[0]).click()
    page.keyboard.press("1")
    sign(page, "A. Weber")
    expect(page.locator(".toast")).to_contain_text("followed by voice")
    assert {turns_of(api, job)[n]["speaker"] for n in wrong} == {"SPEAKER_00"}


def test_a_name_is_shown_as_text_and_two_people_do_not_overwrite_each_other(
    visit: Open, shelf: Shelf, said: Conversation, api: ApiProcess
) -> None:
    job = shelf.succeeded(said, "visit.flac")
    one, other = visit(path_of(job)), visit(path_of(job))
    name = "<img src=x onerror=document.title='hacked'>"
    one.get_by_role("button", name="Correct Speaker 2").click()
    assert violations(one) == []
    one.get_by_label("Name", exact=True).fill(name)
    one.get_by_label("The same person as").select_option("Speaker 3")
    one.get_by_role("button", name="Save").click()
    sign(one, name)
    expect(one.locator(".lane-names li")).to_have_count(2)
    other.locator(".turn").first.click()
    other.keyboard.press("c")
    sign(other, "B. Ruiz")
    expect(other.locator(".toast")).to_contain_text("Somebody else has corrected")
    expect(other.locator(".version")).to_contain_text(f"Version 1, by {name}")
    expect(other.locator(".lane-names li")).to_have_count(2)
    other.keyboard.press("c")
    expect(other.locator(".version")).to_contain_text("Version 2, by B. Ruiz")
    assert "hacked" not in one.title() + other.title()


def test_every_format_of_the_api_can_be_saved(
    visit: Open, shelf: Shelf, said: Conversation, api: ApiProcess, tmp_path: Path
) -> None:
    job = shelf.succeeded(said, "visit.flac")
    page = visit(path_of(job))
    page.get_by_role("button", name="Download").click()
    entries = page.locator(".menu-items button")
    expect(entries.first).to_be_visible()
    names = entries.all_inner_texts()
    formats = api.http.get("/openapi.json").json()["paths"]["/v1/jobs/{job_id}/turns"]["get"]["parameters"]
    [schema] = [one["schema"] for one in formats if one["name"] == "format"]
    assert len(names) == len(schema["anyOf"][0]["enum"]) + 3
    with page.expect_download() as saved:
        page.get_by_role("button", name="RTTM").click()
    assert saved.value.suggested_filename == "visit.rttm"
    assert saved.value.path().read_text() == api.http.get(f"/v1/jobs/{job.id}/turns?format=rttm").text
    page.get_by_role("button", name="Download").click()
    with page.expect_download() as saved:
        page.get_by_role("button", name="PNG").click()
    assert (saved.value.suggested_filename, saved.value.path().read_bytes()[:4]) == ("visit.png", b"\x89PNG")


def test_a_recording_is_deleted_after_a_question(
    visit: Open, shelf: Shelf, said: Conversation, api: ApiProcess
) -> None:
    job = shelf.succeeded(said, "visit.flac")
    page = visit(path_of(job))
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("button", name="Delete for good").click()
    expect(page.get_by_text("No recordings yet.")).to_be_visible()
    assert api.http.get(f"/v1/jobs/{job.id}").status_code == 410


@pytest.mark.parametrize("phone", [False, True], ids=["wide", "phone"])
def test_axe_finds_nothing_in_light_and_dark(visit: Open, shelf: Shelf, said: Conversation, phone: bool) -> None:
    job = shelf.succeeded(said, "visit.flac", "one")
    page = visit("/", phone=phone)
    expect(page.locator(".jobs tbody tr")).to_have_count(1)
    assert violations_in_both_schemes(page) == []
    page.goto(page.url.rstrip("/") + path_of(job))
    page.locator(".turn").first.click()
    assert violations_in_both_schemes(page) == []
    page.get_by_role("link", name="Health").click()
    expect(page.get_by_label("Checks")).to_contain_text("Redis answers.")
    assert violations_in_both_schemes(page) == []


def violations_in_both_schemes(page: Page) -> list[str]:
    """Return what axe finds on the page in light and in dark colours."""
    found: list[str] = []
    for scheme, background in (("light", "rgb(245, 246, 248)"), ("dark", "rgb(14, 18, 23)")):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        assert page.evaluate("getComputedStyle(document.body).backgroundColor") == background
        found += violations(page)
    return found


def test_axe_finds_nothing_in_menus_dialogs_and_progress(visit: Open, shelf: Shelf) -> None:
    said = conversation(20, 2)
    page = visit(path_of(shelf.succeeded(said, "visit.flac")))
    page.get_by_role("button", name="Download").click()
    expect(page.locator(".menu-items button").first).to_be_focused()
    assert violations(page) == []
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Keyboard shortcuts").click()
    assert violations(page) == []
    waiting = shelf.accepted(said, "waits.flac")
    page.goto(page.url.split("/v1")[0] + path_of(waiting))
    expect(page.get_by_text("Waiting for a worker")).to_be_visible()
    assert violations(page) == []


def test_a_chosen_theme_stays(visit: Open) -> None:
    page = visit()
    page.get_by_role("button", name="Light or dark").click()
    page.reload()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 18, 23)"


def test_a_page_comes_back_when_the_server_answers_again(visit: Open) -> None:
    page = visit("/health")
    expect(page.get_by_role("heading", name="Health")).to_be_visible()
    expect(page.get_by_role("link", name="in Flower")).to_have_attribute("href", "https://flower.example")
    page.context.set_offline(True)
    page.get_by_role("link", name="Parley").click()
    expect(page.get_by_role("alert")).to_contain_text("No answer")
    page.context.set_offline(False)
    expect(page.get_by_role("button", name="Choose files")).to_be_visible()
    expect(page.get_by_role("alert")).to_have_count(0)


def test_nothing_is_wider_than_a_phone(visit: Open, shelf: Shelf, said: Conversation) -> None:
    job = shelf.succeeded(said, "a rather long name of a recording from the ward.flac", "one")
    page = visit("/", phone=True)
    expect(page.locator(".jobs tbody tr")).to_have_count(1)
    for path in ("/", path_of(job)):
        page.goto(page.url.split("/v1")[0].rstrip("/") + path)
        page.wait_for_selector(".jobs tbody tr, .turn")
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]


def test_four_hours_of_twenty_speakers_open_zoom_and_list_every_turn(visit: Open, shelf: Shelf) -> None:
    said = conversation(4 * 3600, 20, seed=8)
    page = visit(path_of(shelf.succeeded(said, "hearing.flac")))
    expect(page.locator(".lane-names li")).to_have_count(20)
    expect(page.locator(".turn")).to_have_count(len(said.turns))
    page.get_by_role("slider").focus()
    page.keyboard.press("End")
    assert position(page) == 4 * 3600
    for _ in range(9):
        page.keyboard.press("+")
    expect(page.locator(".zoom")).to_have_text(re.compile(r"^\d{3}×$"))


def test_the_text_follows_the_turns(visit: Open, shelf: Shelf, api: ApiProcess, said: Conversation) -> None:
    job = shelf.succeeded(said, "visit.flac")
    words = [{"word": f"<b>{n}</b>", "start": turn.start, "end": turn.end} for n, turn in enumerate(said.turns)]
    api.http.post(f"/v1/jobs/{job.id}/transcript", json=words).raise_for_status()
    texts = [str(turn["text"]) for turn in turns_of(api, job) if turn["text"]]
    assert "<b>0</b>" in texts
    expect(visit(path_of(job)).locator(".turn-text")).to_have_text(texts)


def test_words_that_nobody_asked_for_come_at_a_click(
    visit: Open, shelf: Shelf, api: ApiProcess, said: Conversation, api_settings: Settings, tmp_path: Path
) -> None:
    job = shelf.succeeded(said, "visit.flac")
    requests = RedisWordsRequests.from_settings(api_settings)
    with ApiProcess(api_settings, tmp_path / "api.log", PARLEY_ASR_URL="http://127.0.0.1:1/v1") as server:
        page = visit(path_of(job), url=server.url)
        page.get_by_role("button", name="Write down the words").click()
        expect(page.get_by_text("The words are asked for.")).to_be_visible()
        requests.answer(job.id, "", Transcription(error_code="recogniser_unavailable", error_detail="It is away."))
        expect(page.get_by_text("It is away.")).to_be_visible()
        page.get_by_role("button", name="Ask again").click()
        expect(page.get_by_text("The words are asked for.")).to_be_visible()
        first = said.turns[0]
        words = Transcript((Word("Hello.", round(first.start * 1000), round(first.end * 1000)),), "openai")
        assert job.result is not None
        shelf.objects.put(words_key(job.result.key), words.to_json())
        requests.answer(job.id, "", Transcription(words=1, audio_seconds=said.seconds))
        expect(page.locator(".turn-text")).to_have_text(["Hello."])
        expect(page.get_by_text("The words are asked for.")).to_be_hidden()


def test_a_server_with_keys_asks_for_one_and_plays_with_it(
    visit: Open, shelf: Shelf, said: Conversation, api_settings: Settings, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"default:{hashlib.sha256(b'secret').hexdigest()}\n")
    job = shelf.succeeded(said, "visit.flac")
    with ApiProcess(api_settings, tmp_path / "api.log", PARLEY_API_KEYS_FILE=str(keys)) as server:
        page = visit(path_of(job), url=server.url)
        field = page.get_by_label("Key of your department")
        field.fill("wrong")
        field.press("Enter")
        expect(page.get_by_role("alert")).to_have_text("The server does not know this key.")
        field.fill("secret")
        field.press("Enter")
        expect(page.locator(".turn")).to_have_count(len(said.turns))
        page.locator(".turn").nth(1).click()
        page.keyboard.press("k")
        page.wait_for_function(
            "start => Number(document.querySelector('.stage').ariaValueNow) > start", arg=position(page)
        )
        assert "secret" not in page.url
        assert page.evaluate("Object.values(localStorage).join()") == ""
        page.get_by_role("button", name="Forget key").click()
        expect(field).to_be_visible()


def test_with_a_key_nothing_is_wider_than_a_phone_and_a_revoked_key_leaves_no_names(
    visit: Open, shelf: Shelf, said: Conversation, api_settings: Settings, tmp_path: Path
) -> None:
    keys = tmp_path / "keys"
    keys.write_text(f"default:{hashlib.sha256(b'secret').hexdigest()}\n")
    shelf.succeeded(said, "A. Patient.flac")
    with ApiProcess(api_settings, tmp_path / "api.log", PARLEY_API_KEYS_FILE=str(keys)) as server:
        page = visit("/", phone=True, url=server.url)
        page.set_viewport_size({"width": 320, "height": 640})
        page.get_by_label("Key of your department").fill("secret")
        page.keyboard.press("Enter")
        expect(page.get_by_text("A. Patient.flac")).to_be_visible()
        expect(page.get_by_role("button", name="Forget key")).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 320
        keys.write_text(f"default:{hashlib.sha256(b'another').hexdigest()}\n")
        expect(page.get_by_label("Key of your department")).to_be_visible()
        expect(page.get_by_text("A. Patient.flac")).to_have_count(0)


def test_a_shared_link_opens_one_recording_without_a_key_until_it_is_revoked(
    visit: Open, shelf: Shelf, said: Conversation, api_settings: Settings, tmp_path: Path
) -> None:
    keys, log = tmp_path / "keys", tmp_path / "api.log"
    keys.write_text(f"default:{hashlib.sha256(b'secret').hexdigest()}\n")
    job = shelf.succeeded(said, "A. Patient.flac")
    with (
        ApiProcess(api_settings, log, PARLEY_API_KEYS_FILE=str(keys), PARLEY_ROOT_PATH="/parley") as api,
        PrefixProxy(api.port, "/parley") as server,
    ):
        page = visit(path_of(job), url=server.url)
        page.get_by_label("Key of your department").fill("secret")
        page.keyboard.press("Enter")
        page.get_by_role("button", name="Share").click()
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Make a link").click()
        revoke = page.get_by_role("button", name=re.compile("^Revoke"))
        expect(revoke).to_have_count(1)
        assert violations(page) == []
        link = page.get_by_label("Link", exact=True).input_value()
        assert link.startswith(f"{server.url}/shared#")
        path, _, secret = link.removeprefix(server.url).partition("#")
        reader = visit(f"{path}#{secret}", url=server.url, phone=True)
        sent: list[dict[str, str]] = []
        reader.on("request", lambda request: sent.append({"url": request.url, **request.headers}))
        expect(reader.locator(".turn")).to_have_count(len(said.turns))
        assert reader.url == server.url + path
        reader.reload()
        expect(reader.locator(".turn")).to_have_count(len(said.turns))
        assert "Patient" not in reader.content()
        assert reader.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        expect(reader.get_by_role("button", name=re.compile("Share|Delete|Correct|Download|Undo"))).to_have_count(0)
        assert violations(reader) == []
        reader.keyboard.press("k")
        reader.wait_for_function("() => Number(document.querySelector('.stage').ariaValueNow) > 0")
        revoke.click()
        expect(revoke).to_have_count(0)
        reader.reload()
        expect(reader.get_by_role("alert")).to_contain_text("This link opens nothing")
        reader.goto(f"{server.url}{path}#%zz")
        expect(reader.get_by_role("alert")).to_contain_text("This link opens nothing")
        reader.get_by_role("link", name="Parley").click()
        reader.get_by_label("Key of your department").fill("secret")
        reader.keyboard.press("Enter")
        reader.get_by_role("link", name="A. Patient.flac").click()
        expect(reader.locator(".turn")).to_have_count(len(said.turns))
        assert reader.url == server.url + path_of(job)
        reader.get_by_role("link", name="Recordings").click()
        expect(reader.get_by_role("link", name="A. Patient.flac")).to_be_visible()
        assert server.outside == []  # the page stays below its prefix
    assert [one for one in sent if secret in one["url"] or one.get("referer")] == []
    assert secret not in log.read_text()
