"""Source values: the values in a selection that must be among those that the source lists."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engine.faults import Fault
from migrations_app.engine.log import use_one_of
from migrations_app.engine.model.batch import CollectionRef
from migrations_app.engine.read_context import ReadContext
from migrations_app.engine.setting_types import is_from_source
from migrations_app.engine.sources.base import Source

MAX_HINTS = 20


def missing_values(source: Source, ref: CollectionRef, ctx: ReadContext) -> Iterator[Fault]:
    """Yield a fault for each value in the selection of ``ref`` that the source does not list."""
    for name, info in source.Selection.model_fields.items():
        chosen = ref.selection.get(name)
        if not chosen or not is_from_source(info):
            continue
        missing = {value: place for place, value in enumerate(chosen)}
        listed: list[str] = []
        for choice in source.choices(ref, name, ctx):
            missing.pop(choice.value, None)
            if len(listed) < MAX_HINTS:
                listed.append(choice.value)
            if not missing:
                break
        title, hint = (info.title or name).lower(), use_one_of(listed)
        for value, place in missing.items():
            message = f"“{value}” is not among the {title} of “{ref.name}”."
            path = f"select.{name}[{place}]"
            yield Fault("value_unknown", message, hint, path, ref.name, name, "select")
