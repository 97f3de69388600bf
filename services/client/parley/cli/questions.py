"""`parley questions`."""

from __future__ import annotations

from collections.abc import Mapping

import typer

from parley import Question
from parley.cli.job_ids import resolve
from parley.cli.options import AsJson, JobId, terminal_of
from parley.cli.timeline import clock

COLUMNS = ("TURN", "AT", "SECONDS", "SPEAKER", "QUESTION", "CANDIDATES")
ASKED = {"speaker_of_turn": "Who speaks?", "same_person": "Same person?"}


def questions(ctx: typer.Context, job_id: JobId, as_json: AsJson = False) -> None:
    """List what to listen to, the most useful question first.

    SECONDS is the length of the turns that an answer is expected to change; CANDIDATES have a turn to compare with.
    Answer with `parley correct --redecide`, and ask again.
    """
    terminal = terminal_of(ctx)
    with terminal.parley() as parley:
        job_id = resolve(parley, job_id)
        asked = parley.questions(job_id)
        if as_json:
            terminal.print_json(asked.document)
            return
        if not asked.questions:
            without_voices = " The result has no voices of its turns." if not asked.by_voice else ""
            terminal.say(f"No questions.{without_voices}")
            return
        turns = parley.turns(job_id, version=asked.version).turns
    starts = {turn.id: clock(turn.start) for turn in turns if turn.id}
    terminal.print_table(COLUMNS, [_row(one, starts) for one in asked.questions], ("CANDIDATES",))


def _row(question: Question, starts: Mapping[str, str]) -> tuple[str, ...]:
    what = ASKED.get(question.kind, question.kind)
    candidates = [
        one.speaker if one.example is None else f"{one.speaker} (turn {one.example}, {starts[one.example]})"
        for one in question.candidates
    ]
    return (
        question.turn,
        starts[question.turn],
        f"{question.seconds:.1f}",
        question.speaker,
        what,
        ", ".join(candidates),
    )
