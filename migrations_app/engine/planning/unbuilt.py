"""Unbuilt options: what a plan may say, but this version does not support yet."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engine.faults import Fault
from migrations_app.engine.model.plan import Plan


def _unbuilt(path: str, value: object, hint: str) -> Fault:
    key = path.rsplit(".", 1)[-1]
    written = str(value).lower() if isinstance(value, bool) else str(value)
    return Fault("not_available", f"“{key}: {written}” is not available yet.", hint, path, option=key)


def unbuilt_faults(plan: Plan) -> Iterator[Fault]:
    """Yield a fault for each value in ``plan`` that this version knows but does not support yet."""
    if plan.options.verify not in ("counts", "none"):
        yield _unbuilt("options.verify", plan.options.verify, "Use “counts” or “none”.")
    elif plan.options.sample_size is not None:
        yield _unbuilt("options.sample_size", plan.options.sample_size, "Leave this key out.")
    for number, collection in enumerate(plan.collections):
        if collection.exact is not None:
            message = "“exact” is not a key of a plan: the schema is always read from the source."
            path = f"collections[{number}].exact"
            yield Fault("key_unknown", message, "Leave this key out.", path, option="exact")
