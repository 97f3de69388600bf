"""What a caller may ask for with a recording: names, values, and which of them go together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from parley_api.http.errors import InvalidOption, UnknownOption
from parley_api.schemas import MOST_CHANNELS
from parley_core.job import JobOptions, Queue, SpeakerBounds
from parley_core.redis.record import dump, options_to_plain
from parley_core.voiceprints import Role

OPTIONS = (
    "num_speakers",
    "min_speakers",
    "max_speakers",
    "queue",
    "reference",
    "retain_seconds",
    "speaker_embeddings",
    "channels",
    "callback_url",
)
MAX_OPTION_BYTES = 2048  # the longest value of any option, in a form or a query
MAX_REFERENCE = 200  # characters
MAX_RETAIN_SECONDS = 10 * 366 * 86400  # ten years, the longest that laws ask medical records to be kept


def take(options: dict[str, str], pairs: Iterable[tuple[str, str]], allowed: Iterable[str] = OPTIONS) -> None:
    """Add named values to `options`. Raises UnknownOption, or InvalidOption for one that is there already."""
    known = tuple(allowed)
    for name, value in pairs:
        if name not in known:
            raise UnknownOption(f"There is no option {name[:64]!r} here; there are: {', '.join(known)}.")
        if name in options:
            raise InvalidOption(f"`{name}` is given twice.")
        options[name] = value


def parse(options: Mapping[str, str], max_speakers: int) -> JobOptions:
    """Return the options as values. Raises InvalidOption, and UnknownOption for what is not built yet."""
    if "callback_url" in options:
        raise UnknownOption("`callback_url`: this version makes no deliveries. Ask for the job with `?wait=` instead.")
    retain = _whole(options, "retain_seconds", 0, MAX_RETAIN_SECONDS)
    return JobOptions(
        speakers=_speakers(options, max_speakers),
        queue=_queue(options.get("queue", Queue.INTERACTIVE)),
        reference=reference(options["reference"], "reference") if "reference" in options else None,
        retain_seconds=retain,
        speaker_embeddings=_yes_or_no(options, "speaker_embeddings"),
        channels=_channels(options.get("channels")),
    )


def _speakers(options: Mapping[str, str], most: int) -> SpeakerBounds:
    number = _whole(options, "num_speakers", 1, most)
    low, high = _whole(options, "min_speakers", 1, most), _whole(options, "max_speakers", 1, most)
    if number is not None:
        if low is not None or high is not None:
            raise InvalidOption("Give `num_speakers`, or `min_speakers` and `max_speakers`, not both.")
        return SpeakerBounds(number, number)
    if low is not None and high is not None and low > high:
        raise InvalidOption(f"`min_speakers` ({low}) is greater than `max_speakers` ({high}).")
    return SpeakerBounds(low, high)


def _whole(options: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    text = options.get(name)
    if text is None:
        return None
    digits = text.removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= len(str(most)) and least <= int(text) <= most):
        raise InvalidOption(f"`{name}` must be a whole number from {least} to {most}.")
    return int(text)


def _queue(text: str) -> Queue:
    if text not in list(Queue):
        raise InvalidOption(f"`queue` must be one of: {', '.join(Queue)}.")
    return Queue(text)


def _yes_or_no(options: Mapping[str, str], name: str) -> bool:
    text = options.get(name, "false")
    if text not in ("true", "false"):
        raise InvalidOption(f"`{name}` must be true or false.")
    return text == "true"


def _channels(text: str | None) -> tuple[Role, ...]:
    if text is None:
        return ()
    names = text.split(",")
    if not 2 <= len(names) <= MOST_CHANNELS or any(name not in list(Role) for name in names):
        raise InvalidOption(
            f"`channels` must be a role per channel, 2 to {MOST_CHANNELS} of {', '.join(Role)}, with commas between: "
            "`clinician,patient` for a clinician on the left and a patient on the right."
        )
    return tuple(Role(name) for name in names)


def require_channels(options: JobOptions, channels: int) -> None:
    """Raise InvalidOption when the caller has named another number of channels than the recording has."""
    named = len(options.channels)
    if named and named != channels:
        raise InvalidOption(f"`channels` names {named} channels, and the recording has {channels}.")


def reference(text: str, name: str) -> str:
    """Return the caller's own name for a conversation, `name` being where it came from. Raises InvalidOption."""
    if not 0 < len(text) <= MAX_REFERENCE or not text.isprintable():
        raise InvalidOption(f"`{name}` must be 1 to {MAX_REFERENCE} printable characters.")
    return text


def canonical(options: JobOptions) -> str:
    """Return text that is equal for equal options: part of what an idempotency key stands for."""
    return dump(options_to_plain(options))
