"""How fast the console shows four hours of twenty speakers, without text and with 40,000 words.

    python -m benchmarks.console

First paint is the time from the navigation until the timeline and the first turns are on the screen. Frames are counted
while the view zooms and scrolls through the recording without a pause. Chromium has no GPU here.
"""

from __future__ import annotations

from statistics import median

from playwright.sync_api import Page

from tests.support.api_process import ApiProcess
from tests.support.console import running_console
from tests.support.conversations import Conversation, conversation

OPENINGS = 5
WORDS = 40_000
FRAMES = 240
PAINTED = "document.querySelector('.lanes')?.width > 300 && document.querySelectorAll('.turn').length > 100"

FIRST_PAINT = f"""() => new Promise(resolve => {{
    const painted = () => resolve(performance.now());
    const look = () => requestAnimationFrame({PAINTED} ? painted : look);
    look();
}})"""
MOVE = """([wheel, frames]) => new Promise(resolve => {
    const stage = document.querySelector('.stage');
    const box = stage.getBoundingClientRect();
    const times = [];
    const step = now => {
        times.push(now);
        if (times.length > frames) return resolve(times.slice(1).map((time, place) => time - times[place]));
        const turned = times.length % 120 < 60 ? 1 : -1;
        const [deltaX, deltaY, ctrlKey] = wheel === 'zoom' ? [0, -24 * turned, true] : [40 * turned, 0, false];
        const details = {deltaX, deltaY, ctrlKey, clientX: box.left + box.width / 2, clientY: box.top + 200};
        stage.dispatchEvent(new WheelEvent('wheel', {...details, bubbles: true, cancelable: true}));
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
})"""


SCROLL_LIST = """frames => new Promise(resolve => {
    const box = document.querySelector('.turns-box');
    const times = [];
    const step = now => {
        times.push(now);
        if (times.length > frames) return resolve(times.slice(1).map((time, place) => time - times[place]));
        box.scrollTop += 90;
        requestAnimationFrame(step);
    };
    requestAnimationFrame(step);
})"""


def frames_per_second(page: Page, movement: str) -> float:
    """Return the median over all frames of a movement."""
    return 1000 / median(page.evaluate(MOVE, [movement, FRAMES]))


def words_of(said: Conversation) -> list[dict[str, object]]:
    """Return so many words, spread evenly over the turns."""
    spoken = sum(turn.end - turn.start for turn in said.turns)
    words: list[dict[str, object]] = []
    for turn in said.turns:
        number = max(1, round(WORDS * (turn.end - turn.start) / spoken))
        length = (turn.end - turn.start) / number
        starts = [turn.start + place * length for place in range(number)]
        words += [
            {"start": at, "end": at + 0.9 * length, "word": f"word{len(words) + n}"} for n, at in enumerate(starts)
        ]
    return words


def measure(page: Page, api: ApiProcess, path: str, name: str) -> None:
    """Print the figures of a page."""
    opened = []
    for _ in range(OPENINGS):
        page.goto(api.url + path)
        opened.append(page.evaluate(FIRST_PAINT))
    print(f"{name}, first paint, {OPENINGS} openings: {median(opened):.0f} ms median, {max(opened):.0f} ms longest")
    print(f"{name}, zoom: {frames_per_second(page, 'zoom'):.0f} frames/s median")
    print(f"{name}, scroll, zoomed: {frames_per_second(page, 'scroll'):.0f} frames/s median")
    print(f"{name}, scroll of the list: {1000 / median(page.evaluate(SCROLL_LIST, FRAMES)):.0f} frames/s median")


def main() -> None:
    """Print the table."""
    with running_console() as (api, shelf, browser):
        said = conversation(4 * 3600, 20, seed=8)
        job = shelf.succeeded(said, "hearing.flac")
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        path = f"/v1/jobs/{job.id}/timeline"
        measure(page, api, path, "without text")
        words = words_of(said)
        api.http.post(f"/v1/jobs/{job.id}/transcript", json=words).raise_for_status()
        print(f"{len(words)} words in {len(said.turns)} turns")
        measure(page, api, path, "with words")


if __name__ == "__main__":
    main()
