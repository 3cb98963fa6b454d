"""Strict mode: what a collection does not allow (the words are those of Qdrant's own verification)."""

import math
import time
from collections.abc import Container
from dataclasses import dataclass
from typing import Any

from migrations_app.demo.qdrant.engine.filters import conditions_of, keys_of, values_of
from migrations_app.demo.qdrant.engine.settings import INDEX_PARAMS
from migrations_app.demo.qdrant.refusals import Kind, Refusal, strict

Json = Any


@dataclass
class ReadRate:
    """A token bucket: it begins full, with as many tokens as the limit, and refills within a minute."""

    tokens: float = 0
    limit: int = 0
    checked_at: float = 0

    def take(self, limit: int, cost: int) -> None:
        now = time.monotonic()
        if limit != self.limit:
            self.limit, self.tokens, self.checked_at = limit, limit, now
        if cost > limit:
            raise Refusal(
                Kind.BUSY,
                "Read rate limit exceeded, request larger than rate limiter capacity, please try to split "
                "your request",
            )
        self.tokens = min(limit, self.tokens + (now - self.checked_at) * limit / 60)
        self.checked_at = now
        if cost > self.tokens:
            seconds = math.ceil((cost - self.tokens) * 60 / limit)
            raise Refusal(
                Kind.BUSY,
                f"Read rate limit exceeded: Operation requires {cost} tokens but only {self.tokens:.1f} "
                f"were available. Retry after {seconds}s",
                retry_after=seconds,
            )
        self.tokens -= cost


def check_read(
    config: Json,
    rate: ReadRate,
    condition: Json,
    indexed: Container[str],
    *,
    limit: int | None = None,
    is_exact: bool = False,
) -> None:
    """Raise the refusal of a read that the collection does not allow, now or at all."""
    if not (mode := _mode(config)):
        return
    _check_limit(mode.get("max_query_limit"), limit, "limit")
    conditions = conditions_of(condition)
    _check_filter(mode, conditions, indexed)
    if is_exact and mode.get("search_allow_exact") is False:
        raise strict("Exact search disabled!", "Set exact=false.")
    take_reads(config, rate, 1 + len(conditions))


def take_reads(config: Json, rate: ReadRate, cost: int) -> None:
    if tokens := _mode(config).get("read_rate_limit"):
        rate.take(tokens, cost)


def check_upsert(config: Json, count: int) -> None:
    _check_limit(_mode(config).get("upsert_max_batchsize"), count, "upsert limit")


def _mode(config: Json) -> Json:
    mode = config.get("strict_mode_config") or {}
    return mode if mode.get("enabled") else {}


def _check_limit(highest: int | None, given: int | None, name: str) -> None:
    if highest is not None and given is not None and given > highest:
        raise strict(
            f'Limit exceeded {given} > {highest} for "{name}"',
            f'Reduce the "{name}" parameter to or below {highest}.',
        )


def _check_filter(mode: Json, conditions: list[Json], indexed: Container[str]) -> None:
    if mode.get("unindexed_filtering_retrieve") is False:
        for key in keys_of(conditions):
            if key not in indexed:
                raise strict(
                    f'Index required but not found for "{key}" of one of the following types: '
                    f"[{', '.join(sorted(INDEX_PARAMS))}]",
                    "Create an index for this key or use a different filter.",
                )
    most = mode.get("filter_max_conditions")
    if most is not None and len(conditions) > most:
        raise strict(
            f"Filter condition limit reached ({len(conditions)} > {most})",
            "Reduce the amount of conditions of your filter.",
        )
    largest = mode.get("condition_max_size")
    size = max((values_of(each) for each in conditions), default=0)
    if largest is not None and size > largest:
        raise strict(
            f"Condition size limit reached ({size} > {largest})", "Reduce the size of your condition."
        )
