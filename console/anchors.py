"""Anchors: the names of a field's place on the mapping page and of its controls."""

from __future__ import annotations

import hashlib


def anchor(source_name: str) -> str:
    """The name of a row's place on the page and of its controls: the same for the same field, whatever is
    in its name."""
    return "f" + hashlib.sha256(source_name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def added_anchor(number: int) -> str:
    """The same for an added field, by its number among them."""
    return f"a{number}"
