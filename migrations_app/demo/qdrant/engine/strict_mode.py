"""Strict mode: what a collection does not allow (the words are those of Qdrant's own verification)."""

from collections.abc import Container
from typing import Any

from migrations_app.demo.qdrant.engine.filters import keys_of
from migrations_app.demo.qdrant.engine.settings import INDEX_PARAMS
from migrations_app.demo.qdrant.refusals import strict

Json = Any


def check_read(config: Json, limit: int | None, condition: Json, indexed: Container[str]) -> None:
    _check_limit(_setting(config, "max_query_limit"), limit, "limit")
    if not condition:
        return
    keys = keys_of(condition)
    if _setting(config, "unindexed_filtering_retrieve") is False:
        for key in keys:
            if key not in indexed:
                raise strict(
                    f'Index required but not found for "{key}" of one of the following types: '
                    f"[{', '.join(sorted(INDEX_PARAMS))}]",
                    "Create an index for this key or use a different filter.",
                )


def check_upsert(config: Json, count: int) -> None:
    _check_limit(_setting(config, "upsert_max_batchsize"), count, "upsert limit")


def _setting(config: Json, name: str) -> Any:
    mode = config.get("strict_mode_config") or {}
    return mode.get(name) if mode.get("enabled") else None


def _check_limit(highest: int | None, given: int | None, name: str) -> None:
    if highest is not None and given is not None and given > highest:
        raise strict(
            f'Limit exceeded {given} > {highest} for "{name}"',
            f'Reduce the "{name}" parameter to or below {highest}.',
        )
