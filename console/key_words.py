"""What a choice of the primary key means for the rows, in sentences."""

from __future__ import annotations

from collections.abc import Iterator

from console.key_choices import KEEP, chosen
from console.sheet import Sheet

COLLAPSED = (
    "of rows with the same one only the last that is read stays, and the others are counted as collapsed"
)


def key_words(sheet: Sheet) -> Iterator[str]:
    """Nothing where the source's own key is kept."""
    columns = sheet.schema.key.columns if sheet.schema.key else ()
    if sheet.plan.is_auto_id:
        yield _new_keys(sheet, columns)
    elif chosen(sheet.plan, sheet.schema) != KEEP:
        is_declared = sheet.schema.key is not None and sheet.schema.key.unique
        names = " and ".join(sheet.plan.key_columns)
        if not (is_declared and set(columns) <= set(sheet.plan.key_columns)):
            yield f"The source does not declare {names} unique: {COLLAPSED}."


def _new_keys(sheet: Sheet, columns: tuple[str, ...]) -> str:
    if not columns:
        return "The source declares no key: Auto ID gives every row one."
    if len(columns) > 1:
        names = ", ".join(columns)
        return f"The key is made of {names}: Auto ID gives every row a new one, and these stay fields."
    kept = sheet.plan.keep_source_key
    what = "stay as an ordinary field" if kept else "are discarded, unless you keep them as an ordinary field"
    return f"Auto ID gives every row a new key. The old keys ({columns[0]}) {what}."
