"""Analyzers: the parts of Milvus that split a text into words for full-text search.

An analyzer is written as its name, or as its parameters in JSON.
"""

from __future__ import annotations

from collections.abc import Mapping

import orjson

# The analyzers that Milvus provides (docs/v2.5.x/analyzer-overview: "Built-in analyzer").
STANDARD = "standard"
BUILT_IN = (STANDARD, "english", "chinese")


def params_of(analyzer: str) -> dict[str, str]:
    """Return the type parameters of a field with this analyzer (a name, or parameters in JSON). Empty if
    ``analyzer`` is empty."""
    if not analyzer:
        return {}
    written = analyzer if analyzer.startswith("{") else orjson.dumps({"type": analyzer}).decode()
    return {"enable_analyzer": "true", "analyzer_params": written}


def from_params(params: Mapping[str, str]) -> str:
    """Return the analyzer in the type parameters of a field: its name if that is all, else its JSON."""
    if params.get("enable_analyzer") != "true":
        return ""
    written = params.get("analyzer_params", "")
    try:
        parsed = orjson.loads(written or "{}")
    except ValueError:
        return written
    if parsed in ({}, {"type": STANDARD}):
        return STANDARD
    return parsed["type"] if list(parsed) == ["type"] and isinstance(parsed["type"], str) else written
