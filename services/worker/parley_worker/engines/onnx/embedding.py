"""The voices in a recording at three scales, all pooled from one pass of the trunk.

Local speakers (one voice per window and speaker) say whose a window's decisions are; pieces of two seconds found the
clusters, since a window may mix two people under one local speaker; cells, a tenth of a second apart, let every moment
be decided again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from parley_worker.engines.onnx.grid import FRAMES, LOCAL_SPEAKERS, SAMPLE_RATE, first_frames
from parley_worker.engines.onnx.segmentation import Segmentation
from parley_worker.engines.onnx.trunk import DIMENSION, FRAMES_PER_SECOND, Frames, Head

WINDOW = 499  # trunk frames per window
WHOLE = 10 * FRAMES_PER_SECOND  # a window's length on the trunk's grid; the last frame needs what lies beyond

PIECE, PIECE_HOP = 2 * FRAMES_PER_SECOND, FRAMES_PER_SECOND
FEWEST_IN_PIECE = 35  # trunk frames, 0.7 s, of one local speaker alone, or the piece founds nothing
FEWEST_ALONE = 10  # trunk frames, 0.2 s: with no more, a local speaker's overlapped speech is used too
CELL = 5  # trunk frames from cell to cell
CELL_REACH = 42  # trunk frames on either side of a cell's middle: 1.7 s in all
FEWEST_IN_CELL = 15  # trunk frames, 0.3 s, in which one person speaks; with less a cell has no voice

_NEAREST = np.arange(WINDOW) * FRAMES // WINDOW  # segmentation's frame of each trunk frame


@dataclass(frozen=True, slots=True)
class Voices:
    """Unit embeddings; zero where too little is heard.

    Attributes:
        local: of each window's local speakers, shape (windows, 3, 192).
        pieces: shape (pieces, 192).
        weights: seconds of its speaker alone that each piece stands for, shape (pieces,); windows share what both hear.
        cells: shape (cells, 192); half precision, as there are ten a second.
    """

    local: Frames
    pieces: Frames
    weights: Frames
    cells: NDArray[np.float16]


def embed(head: Head, blocks: Iterable[Frames], segmentation: Segmentation) -> Voices:
    """Return the voices of a recording from the trunk's frames, block by block."""
    windows, hop = len(segmentation.activity), segmentation.step * FRAMES_PER_SECOND // SAMPLE_RATE
    local = np.zeros((windows, LOCAL_SPEAKERS, DIMENSION), np.float32)
    cells = np.zeros(((hop * (windows - 1) + WINDOW) // CELL + 1, DIMENSION), np.float16)
    pieces, weights = [], []
    for window, frames in enumerate(_windows(blocks, windows, hop)):
        alone, whole, single = _masks(segmentation, window)
        chosen = _pieces(alone)
        owned = _cells_of(window, windows, hop)
        heard = np.concatenate([whole, chosen, _around(owned - window * hop // CELL, single)])[:, : len(frames)]
        found = head.embed(frames, heard)
        local[window] = found[:LOCAL_SPEAKERS]
        pieces.append(found[LOCAL_SPEAKERS : LOCAL_SPEAKERS + len(chosen)].copy())  # a view would keep all of `found`
        weights.append(chosen.sum(axis=1, dtype=np.float32) / FRAMES_PER_SECOND * (hop / WHOLE))
        cells[owned] = found[LOCAL_SPEAKERS + len(chosen) :]
    return Voices(local, np.concatenate(pieces), np.concatenate(weights), cells)


def _windows(blocks: Iterable[Frames], windows: int, hop: int) -> Iterator[Frames]:
    """Yield the frames of each window, shape (499 or fewer at the end, 512)."""
    source = iter(blocks)
    recent = np.zeros((0, 512), np.float32)
    for _ in range(windows):
        while len(recent) < WINDOW and (block := next(source, None)) is not None:
            recent = np.concatenate([recent, block])
        yield recent[:WINDOW]
        recent = recent[hop:]


def _masks(segmentation: Segmentation, window: int) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.bool_]]:
    """Return where each local speaker is alone and is to be heard, both (3, 499), and where one person speaks."""
    activity = segmentation.activity[window][_NEAREST].T.astype(np.bool_)
    alone = activity & (activity.sum(axis=0) == 1)
    heard = np.where(alone.sum(axis=1, keepdims=True) > FEWEST_ALONE, alone, activity)
    first = first_frames(window + 1, segmentation.step)[-1]
    return alone, heard, np.rint(segmentation.expected[first + _NEAREST]) == 1


def _pieces(alone: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the frames of each piece of a window, shape (pieces, 499)."""
    at = np.arange(WINDOW)
    starts = np.arange(0, WINDOW - PIECE + 1, PIECE_HOP)
    inside = (starts[:, None] <= at) & (at < starts[:, None] + PIECE)
    candidates = (inside[:, None] & alone[None]).reshape(-1, WINDOW)
    return np.asarray(candidates[candidates.sum(axis=1) >= FEWEST_IN_PIECE])


def _cells_of(window: int, windows: int, hop: int) -> NDArray[np.int64]:
    """Return the cells in a window's middle, which it hears best; the outermost take the ends too."""
    edge = (WHOLE - hop) // 2
    first = 0 if window == 0 else (window * hop + edge) // CELL
    last = (window * hop + (WINDOW if window == windows - 1 else edge + hop)) // CELL
    return np.arange(first, last)


def _around(cells: NDArray[np.int64], single: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the frames around cells in which one person speaks, shape (cells, 499); none where they are too few."""
    near = np.abs(np.arange(WINDOW) - cells[:, None] * CELL) <= CELL_REACH
    heard = near & single
    return np.asarray(heard & (heard.sum(axis=1, keepdims=True) >= FEWEST_IN_CELL))
