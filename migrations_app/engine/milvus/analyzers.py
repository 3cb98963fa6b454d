"""What cuts a text into words for full-text search: Milvus's analyzers, by name or by their parameters."""

from __future__ import annotations

from collections.abc import Mapping

import orjson

# Milvus's own (docs/v2.5.x/analyzer-overview: "Built-in analyzer").
STANDARD = "standard"
BUILT_IN = (STANDARD, "english", "chinese")


def params_of(analyzer: str) -> dict[str, str]:
    """The type parameters of a field whose ``analyzer`` has this name or these parameters (JSON); empty
    without one."""
    if not analyzer:
        return {}
    written = analyzer if analyzer.startswith("{") else orjson.dumps({"type": analyzer}).decode()
    return {"enable_analyzer": "true", "analyzer_params": written}


def from_params(params: Mapping[str, str]) -> str:
    """The analyzer that type parameters describe: its name where that says all, else the JSON."""
    if params.get("enable_analyzer") != "true":
        return ""
    written = params.get("analyzer_params", "")
    try:
        said = orjson.loads(written or "{}")
    except ValueError:
        return written
    if said in ({}, {"type": STANDARD}):
        return STANDARD
    return said["type"] if list(said) == ["type"] and isinstance(said["type"], str) else written
