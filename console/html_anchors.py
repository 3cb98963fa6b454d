"""Anchors: the HTML ids of the mapping table's rows, and the prefixes of the controls in them."""

from __future__ import annotations

import hashlib


def anchor(source_name: str) -> str:
    """Return the anchor of a field's row. It depends only on the name of the field, which may have any
    characters."""
    return "f" + hashlib.sha256(source_name.encode("utf-8", "surrogatepass")).hexdigest()[:8]


def added_anchor(number: int) -> str:
    """Return the anchor of an added field's row, by the number of the field among the added fields."""
    return f"a{number}"
