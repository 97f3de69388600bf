"""How fast the console shows four hours of twenty speakers: `python -m benchmarks.console`.

First paint is the time from the navigation until the timeline and the first turns are on the screen. Frames are counted
while the view zooms and scrolls through the recording without a pause. Chromium has no GPU here.
"""

from __future__ import annotations

from statistics import median

from playwright.sync_api import Page

from tests.support.console import running_console
from tests.support.conversations import conversation

OPENINGS = 5
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


def frames_per_second(page: Page, movement: str) -> float:
    """Return the median over all frames of a movement."""
    return 1000 / median(page.evaluate(MOVE, [movement, FRAMES]))


def main() -> None:
    """Print the table."""
    with running_console() as (api, shelf, browser):
        job = shelf.succeeded(conversation(4 * 3600, 20, seed=8), "hearing.flac")
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        opened = []
        for _ in range(OPENINGS):
            page.goto(f"{api.url}/v1/jobs/{job.id}/timeline")
            opened.append(page.evaluate(FIRST_PAINT))
        print(f"first paint, {OPENINGS} openings: {median(opened):.0f} ms median, {max(opened):.0f} ms longest")
        print(f"zoom: {frames_per_second(page, 'zoom'):.0f} frames/s median")
        print(f"scroll, zoomed: {frames_per_second(page, 'scroll'):.0f} frames/s median")


if __name__ == "__main__":
    main()
