"""Embedder: makes vectors without a model, by hashing words into a fixed number of dimensions.

The vectors are the same on every machine. Texts that share words are near each other (feature hashing,
Weinberger et al. 2009), which is good enough for searching.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

DIMENSIONS = 384
WORD = re.compile(r"[A-Za-z]+|[0-9]+")
TEXTS_AT_ONCE = 4096


def embed(texts: Sequence[str]) -> NDArray[np.float32]:
    """Return one vector of length 1 for each text: float32, shape (len(texts), DIMENSIONS)."""
    chunks = [texts[start : start + TEXTS_AT_ONCE] for start in range(0, len(texts), TEXTS_AT_ONCE)]
    return np.concatenate([_embed(chunk) for chunk in chunks] or [np.empty((0, DIMENSIONS), np.float32)])


def word_weights(text: str) -> dict[int, float]:
    """Return a sparse vector: the weight of each word of the text, by a 32-bit number that stands for it."""
    return {number: count**0.5 for number, count in Counter(_hashes(text)).items()}


def _embed(texts: Sequence[str]) -> NDArray[np.float32]:
    hashes = [np.fromiter(_hashes(text), np.int64) for text in texts]
    words = np.concatenate(hashes)
    rows = np.repeat(np.arange(len(texts)), [len(word_hashes) for word_hashes in hashes])
    signs = np.where(words & 1, 1.0, -1.0)
    cells = rows * DIMENSIONS + (words >> 1) % DIMENSIONS
    counts = np.bincount(cells, signs, minlength=len(texts) * DIMENSIONS).reshape(-1, DIMENSIONS)
    # A word that occurs ten times is hardly more important than one that occurs twice.
    weights = np.sign(counts) * np.sqrt(np.abs(counts))
    # A text without words, or whose words cancel each other out, would have length 0.
    weights[:, 0] += np.where(weights.any(axis=1), 0.0, 1.0)
    unit: NDArray[np.float32] = (weights / np.linalg.norm(weights, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _hashes(text: str) -> Iterable[int]:
    return map(_hash, WORD.findall(text))


@lru_cache(maxsize=65_536)
def _hash(word: str) -> int:
    return crc32(word.casefold().encode())
