"""`parley submit`."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.text import Text

from parley import Job, SubmitOptions
from parley.cli.batch import Batch, Outcome, TurnFiles
from parley.cli.display import show_turns
from parley.cli.exit_codes import Exit
from parley.cli.failures import CommandFailed
from parley.cli.links import Link, Source, sources_of
from parley.cli.options import AsJson, QueueOption, Reference, TurnFormat, duration_option, terminal_of
from parley.cli.progress import progress_view
from parley.cli.terminal import Terminal, printable_name

MAX_IDS_SHOWN = 5  # after Ctrl-C; more would scroll the reason off the screen

Files = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|FOLDER|LINK",
        help="Recordings: files, folders, or links such as `https://...` and `s3://...` that the server fetches.",
    ),
]
Wait = Annotated[bool, typer.Option(help="Wait for the turns. With --no-wait, print the job ids instead.")]
Speakers = Annotated[int | None, typer.Option("--speakers", metavar="N", help="Number of speakers, if known.")]
MinSpeakers = Annotated[int | None, typer.Option(metavar="N", help="Minimum number of speakers.")]
MaxSpeakers = Annotated[int | None, typer.Option(metavar="N", help="Maximum number of speakers.")]
SpeakerEmbeddings = Annotated[
    bool,
    typer.Option(
        "--speaker-embeddings", help="Keep speaker embeddings, to enrol voiceprints and to identify speakers."
    ),
]
Transcribe = Annotated[bool, typer.Option("--transcribe", help="Have the server's recogniser write down the words.")]
Channels = Annotated[
    str | None,
    typer.Option(metavar="ROLES", help="Role per channel: `clinician,patient` for a clinician on the left channel."),
]
CallbackUrl = Annotated[
    str | None,
    typer.Option(
        "--callback-url", metavar="URL", help="Where the server delivers the end of each job.", show_default=False
    ),
]
RetainAudio = Annotated[
    timedelta | None,
    typer.Option(
        "--retain-audio",
        parser=duration_option,
        metavar="DURATION",
        help="Keep the recording for this long after the job has ended; `0s` removes it at the end.",
        show_default=False,
    ),
]
TranscriptFile = Annotated[
    Path | None,
    typer.Option(
        "--transcript",
        metavar="FILE",
        help="What a recogniser has written about the one recording; the turns will have text.",
        exists=True,
        dir_okay=False,
        readable=True,
    ),
]
Format = Annotated[
    TurnFormat | None,
    typer.Option("--format", help="Format of the turns; by default `table` on stdout and `rttm` with --output."),
]
Output = Annotated[
    Path | None,
    typer.Option("-o", "--output", metavar="FOLDER", file_okay=False, help="Write the turns of each file here."),
]


def submit(
    ctx: typer.Context,
    files: Files,
    wait: Wait = True,
    queue: QueueOption = None,
    speakers: Speakers = None,
    min_speakers: MinSpeakers = None,
    max_speakers: MaxSpeakers = None,
    reference: Reference = None,
    speaker_embeddings: SpeakerEmbeddings = False,
    transcribe: Transcribe = False,
    channels: Channels = None,
    callback_url: CallbackUrl = None,
    retain_audio: RetainAudio = None,
    transcript: TranscriptFile = None,
    turns_format: Format = None,
    output: Output = None,
    as_json: AsJson = False,
) -> None:
    """Submit recordings, wait for their jobs and print the turns."""
    if not wait and (turns_format or output):
        raise typer.BadParameter("--format and --output need the turns, which --no-wait does not wait for.")
    given = [(text, sources_of(text)) for text in files]
    sources = [source for _, found in given for source in found]
    repeatable = frozenset(source for text, found in given if Path(text).is_dir() for source in found)
    _require_fitting(sources, transcript, transcribe, one_picture=turns_format is TurnFormat.PNG and not output)
    turn_files = _turn_files(output, turns_format, given) if output else None
    terminal = terminal_of(ctx)
    options = SubmitOptions(
        queue=queue,
        num_speakers=speakers,
        min_speakers=min_speakers,
        max_speakers=max_speakers,
        reference=reference,
        speaker_embeddings=speaker_embeddings,
        transcribe=transcribe,
        channels=channels.split(",") if channels else None,
        callback_url=callback_url,
        retain_audio_seconds=None if retain_audio is None else int(retain_audio.total_seconds()),
    )
    outcomes = submit_files(
        terminal, sources, options, wait=wait, turn_files=turn_files, transcript=transcript, repeatable=repeatable
    )
    if as_json:
        terminal.print_json([outcome.document() for outcome in outcomes])
    elif not wait:
        terminal.print_text("".join(f"{outcome.job.id}\n" for outcome in outcomes if outcome.job))
    elif not output:
        _print_turns(terminal, outcomes, turns_format or TurnFormat.TABLE)
    raise typer.Exit(max(outcome.exit_code for outcome in outcomes))


def submit_files(
    terminal: Terminal,
    files: Sequence[Source],
    options: SubmitOptions,
    *,
    wait: bool,
    turn_files: TurnFiles | None = None,
    transcript: Path | None = None,
    repeatable: frozenset[Source] = frozenset(),
) -> list[Outcome]:
    """Submit files with their progress on stderr, and return their outcomes.

    Raises:
        CommandFailed: Ctrl-C was pressed; the error names the accepted jobs.
    """
    accepted: list[Job] = []

    async def run() -> list[Outcome]:
        async with terminal.async_parley() as parley:
            with progress_view(terminal.err, len(files)) as view:
                return await Batch(parley, view, options, wait, turn_files, transcript, repeatable, accepted).run(files)

    try:
        return asyncio.run(run())
    except KeyboardInterrupt:
        ids = [job.id for job in accepted]
        raise CommandFailed(Exit.INTERRUPTED, "interrupted", _interrupted(ids), jobs=ids) from None


def _interrupted(accepted: Sequence[str]) -> str:
    if not accepted:
        return "Interrupted. No job was accepted."
    jobs = "The accepted job continues" if len(accepted) == 1 else f"The {len(accepted)} accepted jobs continue"
    commands = [f"parley job {job_id} --wait" for job_id in accepted]
    if len(accepted) > MAX_IDS_SHOWN:
        commands = ["parley jobs"]
    return "\n  ".join([f"Interrupted. {jobs}. To see what becomes of it:", *commands])


def _require_fitting(
    sources: Sequence[Source], transcript: Path | None, transcribe: bool, *, one_picture: bool
) -> None:
    """Raise BadParameter if a transcript cannot go with these, or they do not make one picture."""
    if one_picture and len(sources) > 1:
        raise typer.BadParameter("--format png writes one picture. Add --output FOLDER for several recordings.")
    if transcript and transcribe:
        raise typer.BadParameter("--transcribe and --transcript do not go together.")
    if transcript and len(sources) > 1:
        raise typer.BadParameter("--transcript goes with one recording.")
    if transcript and isinstance(sources[0], Link):
        raise typer.BadParameter("--transcript goes with a file. Send it later: `parley transcript ID FILE`.")


def _turn_files(
    folder: Path, turns_format: TurnFormat | None, given: Sequence[tuple[str, Sequence[Source]]]
) -> TurnFiles:
    """Return the files for the turns. Raises BadParameter if two recordings would share a file.

    Args:
        folder: where the files are written.
        turns_format: by default RTTM.
        given: each argument, with its recordings.
    """
    if turns_format is TurnFormat.TABLE:
        raise typer.BadParameter("--output writes files; `table` is for the terminal.")
    subfolders: dict[Source, Path] = {
        source: source.parent.relative_to(text)
        for text, found in given
        for source in found
        if isinstance(source, Path) and Path(text).is_dir()
    }
    files = TurnFiles(folder, turns_format or TurnFormat.RTTM, subfolders)
    for path, count in Counter(files.path(source) for _, found in given for source in found).items():
        if count > 1:
            shown = path.relative_to(folder)
            raise typer.BadParameter(f"{count} recordings would write {shown}. Rename them or submit them apart.")
    folder.mkdir(parents=True, exist_ok=True)
    return files


def _print_turns(terminal: Terminal, outcomes: Sequence[Outcome], turns_format: TurnFormat) -> None:
    succeeded = [(outcome.path, outcome.turns) for outcome in outcomes if outcome.turns]
    if turns_format is TurnFormat.JSON:
        terminal.print_json([turns.document for _, turns in succeeded])
    elif turns_format is TurnFormat.TABLE:
        for path, turns in succeeded:
            terminal.out.print(Text(f"\n{printable_name(path.name)}  job {turns.job_id}", style="bold"))
            show_turns(terminal, turns)
    else:
        with terminal.parley() as parley:
            for _, turns in succeeded:
                if turns_format is TurnFormat.PNG:
                    terminal.print_bytes(parley.picture(turns.job_id))
                else:
                    terminal.print_text(parley.export(turns.job_id, turns_format))
