"""Wizard helpers: they send what a browser would send, with a test client, and return the results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.test import Client
from django.urls import reverse

from console.html_anchors import anchor
from console.schema.page.rows import CONTROLS
from migrations_app.models import Connection, Draft
from tests.kit.memory_target import EVERYTHING

HTMX = {"HX-Request": "true"}
OLD_MILVUS = replace(EVERYTHING, version="2.3.5", nullable=False, default_values=False, max_vector_fields=1)


def url(step: str, draft: Draft, *args: int) -> str:
    return reverse(f"wizard_{step}", args=[draft.pk, *args])


def select(
    web: Client,
    draft: Draft,
    to: Connection,
    *names: str,
    target: str | None = None,
    database: str = "default",
    where: dict[str, str] | None = None,
) -> Any:
    sent = {"collections": list(names), "database": database, "action": "next"}
    sent |= {f"{anchor(name)}-where": text for name, text in (where or {}).items()}
    return web.post(url("select", draft), sent | {"target": str(to.pk) if target is None else target})


def form_of(web: Client, draft: Draft, index: int = 0) -> dict[str, Any]:
    """The form data that a browser sends if the mapping table is left unchanged."""
    context = web.get(url("schema", draft, index)).context
    collection = context["collection"]
    fields = [collection["form"][name] for name in collection["form"].fields]
    fields += list(collection["source_options"]["form"]) if collection["source_options"] else []
    for row in collection["fields"]:
        if not row["left_out_reason"]:
            fields += [row[name] for name in CONTROLS if row[name] is not None] + row["params"]
    shown = [*context["shown"].values(), *(row["shown"] for row in collection["fields"])]
    sent: dict[str, Any] = {"shown": shown}
    for field in fields:
        value = field.value()
        if field.widget_type == "checkbox":
            sent |= {field.html_name: "on"} if value else {}
        else:
            sent[field.html_name] = "" if value is None else value if isinstance(value, list) else str(value)
    return sent


def change(
    web: Client,
    draft: Draft,
    *,
    index: int = 0,
    without: tuple[str, ...] = (),
    action: str = "save",
    **data: Any,
) -> Any:
    """Send the table with some controls changed; ``row__control`` is a control in a row."""
    sent = form_of(web, draft, index)
    for name in without:
        sent.pop(control(name), None)
    sent |= {control(name): value for name, value in data.items()}
    answer = web.post(url("schema", draft, *([index] if index else [])), sent | {"action": action})
    draft.refresh_from_db()
    return answer


def control(name: str) -> str:
    row, _, option = name.rpartition("__")
    return f"{anchor(row)}-{option}" if row else name


def collection(draft: Draft, index: int = 0) -> dict[str, Any]:
    draft.refresh_from_db()
    plan_collection: dict[str, Any] = draft.plan["collections"][index]
    return plan_collection


def field(draft: Draft, source: str) -> dict[str, Any] | None:
    return next((f for f in collection(draft)["fields"] if f["source"] == source), None)


def page(web: Client, draft: Draft, index: int = 0) -> Any:
    return web.get(url("schema", draft, index))


def row(web: Client, draft: Draft, source: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = page(web, draft).context["collection"]["fields"]
    return next(r for r in rows if r["source_name"] == source)


def start(web: Client, draft: Draft, **data: str) -> Any:
    options = {"verify": "counts", "max_rejected": "1000", "action": "migrate"}
    return web.post(url("migrate", draft), options | data)
