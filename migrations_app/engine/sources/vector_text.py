"""Vectors written as text: “[1,2,3]” or “1,2,3”, parsed without a loop over the rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Mask = npt.NDArray[np.bool_]
Places = npt.NDArray[np.integer]
# Every text that matches can be cast to a number.
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_COMMA, _OPEN, _CLOSE = b",[]"
_IS_WORD = ~np.isin(np.arange(256), np.frombuffer(b",[] \t\r\n", np.uint8))


@dataclass(frozen=True, slots=True)
class ParsedVectors:
    """``numbers`` are those of the rows in ``fits``, one row after another. A text that is not a list of the
    wanted number of numbers does not fit, and neither does NULL."""

    numbers: npt.NDArray[np.float32]
    fits: Mask


def parse_vectors(texts: pa.Array, dim: int) -> ParsedVectors:
    """Parse each text of a column (strings, or their bytes) as a list of ``dim`` numbers."""
    offsets = np.frombuffer(texts.buffers()[1], np.int32)[texts.offset : texts.offset + len(texts) + 1]
    data = np.empty(0, np.uint8)
    if len(texts) and offsets[-1] > offsets[0]:
        data = np.frombuffer(texts.buffers()[2], np.uint8)[offsets[0] : offsets[-1]]
    offsets = offsets - offsets[0]
    starts = _starts_of_words(data, offsets)
    fits = _are_lists(data, starts, offsets, dim) & np.asarray(texts.is_valid())
    words = _words(data, starts, offsets, fits)
    try:
        return ParsedVectors(words.cast(pa.float32()).to_numpy(), fits)
    except pa.ArrowInvalid:
        is_number = np.asarray(pc.match_substring_regex(words, _NUMBER))
        fits[fits] = is_number.reshape(-1, dim).all(axis=1)
        return ParsedVectors(_words(data, starts, offsets, fits).cast(pa.float32()).to_numpy(), fits)


def usual_dim(texts: pa.Array) -> tuple[int, int]:
    """Return the most frequent dimension, at least 2, of the texts that are lists of numbers, and the number
    of texts that have it. Without such texts, both are 0."""
    commas = pc.count_substring(texts.drop_null(), ",")
    modes = pc.mode(commas.filter(pc.greater(commas, 0)))
    if not len(modes):
        return 0, 0
    dim = modes[0]["mode"].as_py() + 1
    fitting = int(parse_vectors(texts, dim).fits.sum())
    return (dim, fitting) if fitting else (0, 0)


def _starts_of_words(data: npt.NDArray[np.uint8], offsets: Places) -> Mask:
    """Mark the first byte of each word: of each run of bytes that are not commas, brackets or blanks."""
    is_word = _IS_WORD[data]
    starts = is_word.copy()
    starts[1:] &= ~is_word[:-1]
    firsts = offsets[:-1][np.diff(offsets) > 0]
    starts[firsts] = is_word[firsts]
    return starts


def _are_lists(data: npt.NDArray[np.uint8], starts: Mask, offsets: Places, dim: int) -> Mask:
    """Return for each text if it has ``dim`` words with a comma between two of them, and one pair of brackets
    around them or none."""
    words, commas, opens, closes = (
        _Marks(np.flatnonzero(marks), offsets)
        for marks in (starts, data == _COMMA, data == _OPEN, data == _CLOSE)
    )
    fits: Mask = (words.counts == dim) & (commas.counts == dim - 1)
    fits &= (opens.counts == closes.counts) & (opens.counts <= 1)
    word, comma = words.of(fits, dim), commas.of(fits, dim - 1)
    is_ordered = ((word[:, :-1] < comma) & (comma < word[:, 1:])).all(axis=1)
    # Without brackets, the places before and after all words are compared.
    first, last = np.full(len(fits), -1), np.full(len(fits), len(data))
    has_brackets = fits & (opens.counts == 1)
    first[has_brackets] = opens.of(has_brackets, 1).ravel()
    last[has_brackets] = closes.of(has_brackets, 1).ravel()
    is_ordered &= (first[fits] < word[:, 0]) & (word[:, -1] < last[fits])
    fits[fits] = is_ordered
    return fits


class _Marks:
    """The places of marked bytes, and their number in each text."""

    def __init__(self, places: Places, offsets: Places) -> None:
        self._places = places
        self.counts = np.diff(np.searchsorted(places, offsets))

    def of(self, rows: Mask, number: int) -> Places:
        """Return the places in the chosen rows, each of which has ``number`` of them."""
        chosen = self._places if rows.all() else self._places[np.repeat(rows, self.counts)]
        return chosen.reshape(-1, number)


def _before(marks: Mask) -> npt.NDArray[np.int32]:
    """Return the number of marks before each place."""
    counts = np.cumsum(marks, dtype=np.int32)
    return counts - marks


def _words(data: npt.NDArray[np.uint8], starts: Mask, offsets: Places, rows: Mask) -> pa.Array:
    """Return the words of the chosen rows."""
    keep = _IS_WORD[data]
    if not rows.all():
        keep &= np.repeat(rows, np.diff(offsets))
        starts = starts & keep
    places = _before(keep)[starts]
    ends = np.append(places, np.count_nonzero(keep)).astype(np.int32)
    return pa.StringArray.from_buffers(len(places), pa.py_buffer(ends), pa.py_buffer(data[keep]))
