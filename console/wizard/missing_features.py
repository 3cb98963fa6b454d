"""Features that the chosen target does not have, as notes on the selection page."""

from __future__ import annotations

from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.milvus.features import INTRODUCED_IN

OPTIONS = {
    "nullable": ("nullable", "Fields that may be null"),
    "default_values": ("default_values", "Default values"),
    "full_text": ("full_text", "Full-text search"),
    "null_vectors": ("null_vectors", "Null vectors"),
}


def missing_features(capabilities: Capabilities) -> list[str]:
    """Return the features that this target does not have, with the version that adds them."""
    missing = [words for feature, words in OPTIONS.values() if not getattr(capabilities, feature)]
    types = [
        name
        for name in INTRODUCED_IN
        if name.endswith("_VECTOR") and name not in {str(t) for t in capabilities.types}
    ]
    by_version: dict[str, list[str]] = {}
    for name in (*types, *[f for f, words in OPTIONS.values() if words in missing]):
        words = OPTIONS[name][1] if name in OPTIONS else name
        by_version.setdefault(capabilities.missing(name), []).append(words)
    return [f"{', '.join(names)}: {why}." for why, names in by_version.items()]
