"""YAML text of a plan file: parsed with limits on its size."""

from __future__ import annotations

from typing import Any

import yaml

from migrations_app.engine.errors import PlanRefused
from migrations_app.engine.faults import Fault

MAX_BYTES = 4 * 1024 * 1024
# The limit on values and blocks. An aliased block counts each time it is used: with aliases a few lines can
# expand to millions of values.
MAX_NODES = 200_000


class _Loader(yaml.SafeLoader):
    """YAML loader that reads dates as text (a plan contains no dates) and refuses duplicate keys."""


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: set[Any] = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node)  # type: ignore[no-untyped-call]
        if isinstance(key, (list, dict)) or key in seen:
            raise yaml.MarkedYAMLError(
                problem=f"the key “{key}” appears twice", problem_mark=key_node.start_mark
            )
        seen.add(key)
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)
_Loader.add_constructor("tag:yaml.org,2002:timestamp", lambda loader, node: node.value)


def parse(text: str) -> dict[str, Any]:
    """Return the contents of a plan file. Raises ``PlanRefused`` if it is not YAML, or too large."""
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise PlanRefused((Fault("plan_too_large", f"The plan is larger than {MAX_BYTES:,} bytes."),))
    try:
        raw = yaml.load(text, _Loader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise PlanRefused((_yaml_fault(error),)) from None
    if _nodes(raw, {}) > MAX_NODES:
        message = f"The plan, with its aliases expanded, has more than {MAX_NODES:,} entries."
        raise PlanRefused(
            (Fault("plan_too_large", message, "Split it into several plans, or use fewer aliases."),)
        )
    if not isinstance(raw, dict):
        hint = "A plan starts with “version: 1”, then “source:”, “target:” and “collections:”."
        raise PlanRefused((Fault("plan_invalid", "The file does not contain a plan.", hint),))
    return raw


def _nodes(value: Any, counted: dict[int, int]) -> int:
    """Count the nodes of a tree in which aliases are expanded. Each shared part is visited only once."""
    if not isinstance(value, (dict, list)):
        return 1
    if id(value) not in counted:
        # A part that contains itself counts as too large.
        counted[id(value)] = MAX_NODES + 1
        parts = value.values() if isinstance(value, dict) else value
        counted[id(value)] = 1 + sum(_nodes(part, counted) for part in parts)
    return counted[id(value)]


def _yaml_fault(error: Exception) -> Fault:
    mark = getattr(error, "problem_mark", None)
    where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
    return Fault("yaml_invalid", f"The plan is not valid YAML{where}: {problem}.", "Fix that line.")
