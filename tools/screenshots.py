"""Pictures of the console for the pages: `make screenshots` writes docs/img/console-*.png and docs/img/timeline.svg."""

from __future__ import annotations

from pathlib import Path

from tests.support.console import running_console
from tests.support.conversations import conversation, voices_of

IMAGES = Path(__file__).parents[1] / "docs" / "img"
WIDE, PHONE = (1280, 800), (390, 780)


def main() -> None:
    """Write the pictures."""
    with running_console() as (api, shelf, browser):
        shelf.succeeded(conversation(1800, 5, seed=5), "ward-round.flac", "ward-7")
        said = conversation(372, 3, seed=21)
        one_person = [min(1, said.speakers.index(turn.speaker)) for turn in said.turns]
        job = shelf.succeeded(said, "consult-4711.flac", "consult-4711", voices_of(one_person))
        shelf.accepted(conversation(60, 2, seed=1), "intake-0098.flac", "intake-98")
        timeline = f"/v1/jobs/{job.id}/timeline"
        (IMAGES / "timeline.svg").write_text(api.http.get(f"{timeline}.svg").text)
        for picture, path, (width, height), scheme in (
            ("start", "/", WIDE, "light"),
            ("job", timeline, WIDE, "light"),
            ("job-dark", timeline, WIDE, "dark"),
            ("phone", timeline, PHONE, "light"),
            ("question", timeline, WIDE, "light"),
            ("health", "/health", WIDE, "light"),
        ):
            context = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme="dark" if scheme == "dark" else "light",
            )
            page = context.new_page()
            page.goto(api.url + path)
            page.wait_for_selector(".jobs tbody tr, .turn, .health .checks li")
            page.wait_for_load_state("networkidle") if path == timeline else page.wait_for_selector(".checks li")
            if path == timeline:
                page.locator(".turn").nth(4).click()
            if picture == "question":
                page.get_by_role("button", name="Check the next").click()
                page.wait_for_selector(".question")
                page.keyboard.press("k")
            page.screenshot(path=IMAGES / f"console-{picture}.png")
            context.close()


if __name__ == "__main__":
    main()
