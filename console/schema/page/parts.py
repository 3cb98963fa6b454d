"""Parts of the page: after an edit, only those that are different from what the page shows are sent.

Each part of the page carries a fingerprint of its contents as a hidden input. So the page itself tells what
it shows, also if an earlier answer did not arrive.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any

from django.forms.boundfield import BoundField

SETTINGS = ("target", "description", "key", "partition_key", "partition_by")
KEY_PARTS = ("key_name", "key_max_length")
ADVANCED = ("if_exists", "shards", "rest", "key_name", "dynamic_field", "keep_source_key")
# The parts besides the rows, with their templates.
TEMPLATES = {
    "warnings": "schema/_warnings.html",
    "settings": "schema/_settings.html",
    "source-options": "schema/_source_options.html",
    "key-parts": "schema/_key_parts.html",
    "partitions": "schema/_partitions.html",
    "advanced": "schema/_advanced.html",
    "preview": "schema/_preview.html",
}


def mark(context: dict[str, Any]) -> dict[str, Any]:
    """Add the fingerprints of all parts to the context of the page."""
    collection = context["collection"]
    for row in collection["fields"]:
        row["shown"] = f"{row['anchor']}:{fingerprint(row)}"
    parts = dict(_parts(context))
    return context | {"shown": {name.replace("-", "_"): f"{name}:{mark}" for name, mark in parts.items()}}


def changed(context: Mapping[str, Any], sent: Iterable[str]) -> dict[str, Any] | None:
    """Return the rows and the templates of the parts whose fingerprint is not among those that were ``sent``.
    None if the page does not have all these parts, or has others."""
    known = set(sent)
    if context["shown"]["structure"] not in known:
        return None
    rows = [row for row in context["collection"]["fields"] if row["shown"] not in known]
    marks = {name: context["shown"].get(name.replace("-", "_")) for name in TEMPLATES}
    names = [name for name, shown in marks.items() if shown and shown not in known]
    return {"rows": rows, "templates": [TEMPLATES[name] for name in names]}


def _parts(context: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
    collection = context["collection"]
    form, problems = collection["form"], collection["problems"]
    options = collection["source_options"]
    yield (
        "structure",
        fingerprint(
            [
                [row["anchor"] for row in collection["fields"]],
                [bool(collection[name]) for name in ("copied", "source_options", "partitions", "can_add")],
            ]
        ),
    )
    yield "warnings", fingerprint([collection[name] for name in ("facts", "warnings")])
    yield "settings", fingerprint([_controls(form, SETTINGS), problems])
    if options:
        yield "source-options", fingerprint([list(options["form"]), problems])
    key = (form.parts, _controls(form, KEY_PARTS), collection["joined_example"], problems)
    yield "key-parts", fingerprint(key)
    if collection["partitions"]:
        yield "partitions", fingerprint([collection["partitions"], collection["partitions_open"], problems])
    advanced = [collection[name] for name in ("advanced_text", "advanced_open", "full_text_missing")]
    lines = [list(line) for line in collection["full_text"]]
    yield "advanced", fingerprint([advanced, _controls(form, ADVANCED), lines, form.parts, problems])
    yield "preview", fingerprint([context[name] for name in ("preview", "preview_error", "problem_count")])


def _controls(form: Any, names: Iterable[str]) -> list[BoundField]:
    return [form[name] for name in names if name in form.fields]


def fingerprint(value: Any) -> str:
    return hashlib.blake2b(repr(_plain(value)).encode("utf-8", "replace"), digest_size=5).hexdigest()


def _plain(value: Any) -> Any:
    """Return the value with its controls as what they show."""
    if isinstance(value, BoundField):
        field = value.field
        choices = getattr(field, "choices", None)
        shown = (value.html_name, str(value.value()), field.disabled, value.help_text, str(value.label))
        return (*shown, list(choices) if choices is not None else None, list(value.errors))
    if isinstance(value, dict):
        return [(key, _plain(item)) for key, item in value.items() if key != "shown"]
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
