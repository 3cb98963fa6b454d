"""Step 4, Migrate: a summary in words, what preflight found, the choices, and the start."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.urls import reverse

from console import checked, drafts, sheets
from console.checked import Checked
from console.forms.options import OptionsForm
from console.preview import bytes_per_row
from console.schema_page import url as schema_url
from console.sheet import Sheet
from console.words import rows as number_of_rows
from migrations_app import services
from migrations_app.engine.connectors.registry import source_class
from migrations_app.engine.errors import Fault, FerryError, PlanRefused
from migrations_app.engine.log import counted
from migrations_app.engine.plan import Options, Plan
from migrations_app.engine.schema import MilvusType
from migrations_app.models import Draft, Job

MEANWHILE = "rows written or changed in the source while it runs may be missed"


def plan_of(draft: Draft) -> Plan:
    """The plan as it stands."""
    return Plan.model_validate(
        draft.plan | drafts.plan_head(draft) | {"options": options_of(draft).model_dump()}
    )


def options_of(draft: Draft) -> Options:
    usual = {"create_index": source_class(draft.kind).indexes_by_default}
    return Options.model_validate(usual | draft.plan.get("options", {}))


def form_of(draft: Draft, data: Any = None) -> OptionsForm:
    facts = drafts.target_facts(draft)
    metrics = {i.metric for s in sheets.of(draft) for i in s.plan.indexes or () if i.metric}
    needs_index = facts is None or facts.capabilities.count_needs_load
    return OptionsForm(options_of(draft), data, metrics=", ".join(sorted(metrics)), needs_index=needs_index)


def save_options(draft: Draft, form: OptionsForm) -> Draft:
    options = form.options(options_of(draft)).model_dump()
    return services.draft_save(draft=draft, plan=draft.plan | {"options": options})


def start(draft: Draft, user: User) -> Job:
    """Make the job. The second click gets the first one's. Raises ``PlanRefused`` with what preflight has
    against it."""
    plan = plan_of(draft)
    found = checked.known(draft, plan) or checked.check(draft, plan)
    if errors := tuple(fault for fault in found.faults if fault.severity == "error"):
        raise PlanRefused(errors)
    return services.job_create(
        plan=plan,
        user=user,
        source_connection=draft.source_connection,
        target_connection=draft.target_connection,
        draft=draft,
    )


def context(draft: Draft, form: OptionsForm, *, again: bool = False) -> dict[str, Any]:
    """Everything on the page. Checks the plan where it was not yet, or ``again``."""
    plan, error = plan_of(draft), None
    found = None if again else checked.known(draft, plan)
    try:
        found = found or checked.check(draft, plan)
    except FerryError as failed:
        error = failed.as_dict() | {"url": _repair(draft, failed), "url_label": "Look at the connections"}
    all_sheets = sheets.of(draft)
    rows = [_collection(draft, sheet, place, found) for place, sheet in enumerate(all_sheets)]
    counts = [row["rows"] for row in rows]
    return {
        "collections": rows,
        "summary": _summary(draft, rows),
        "form": form,
        "checks": _checks(draft, all_sheets, found),
        "checked_at": found and found.at,
        "problems": [error] if error else _problems(draft, found),
        "facts": _facts(draft, rows),
        "total_rows": None if None in counts else sum(counts),
        "plan_url": reverse("wizard_plan", args=[draft.pk]),
    }


def _summary(draft: Draft, rows: list[dict[str, Any]]) -> str:
    """What a press on Migrate does, as a sentence."""
    ends, counts = drafts.route(draft), [row["rows"] for row in rows]
    is_exact = all(row["rows_exact"] for row in rows)
    moved = "All rows" if None in counts else f"{number_of_rows(sum(counts), is_exact)} rows"
    places = counted(len(rows), source_class(draft.kind).collection_word)
    return (
        f"{moved[:1].upper()}{moved[1:]} of {places} are copied from {ends.source_name} into "
        f"{counted(len(rows), 'new collection')} in “{ends.database}” of {ends.target_name}. "
        f"{ends.source_name} is only read."
    )


def _repair(draft: Draft, error: FerryError) -> str:
    return reverse("wizard_select", args=[draft.pk])


def _collection(draft: Draft, sheet: Sheet, place: int, found: Checked | None) -> dict[str, Any]:
    plan, info = sheet.plan, drafts.info(draft, sheet.schema.name)
    exact = (found.rows or {}).get(plan.source) if found else None
    rows = exact if exact is not None else info.rows if info else sheet.schema.rows_estimate
    per_row = bytes_per_row(sheet)
    fixed = [field for field in plan.fields or () if not field.dynamic]
    discards = plan.is_auto_id and sheet.schema.key is not None and not plan.keep_source_key
    return {
        "source_name": plan.source,
        "target_name": plan.target,
        "rows": rows,
        "rows_exact": exact is not None or bool(info and info.rows_exact),
        "size_bytes": round(rows * per_row) if rows is not None and per_row else None,
        "key_text": _key_text(sheet),
        "key_warning": "old keys discarded" if discards and len(sheet.schema.key.columns) == 1 else "",
        "fields": len(fixed) + plan.is_auto_id,
        "vectors": sum(MilvusType(field.type).is_vector for field in fixed if field.type in set(MilvusType)),
        "url": schema_url(draft, place),
    }


def _key_text(sheet: Sheet) -> str:
    if sheet.plan.is_auto_id:
        return "Auto ID"
    fields = [f for f in sheet.plan.fields or () if f.source in sheet.plan.key_columns]
    return ", ".join(f"{field.target} ({field.type})" for field in fields)


def _checks(draft: Draft, all_sheets: list[Sheet], found: Checked | None) -> list[dict[str, Any]]:
    if found is None:
        return []
    lines = [
        _line("warn", "note", f"{sheet.plan.source}: {note}", schema_url(draft, place))
        for place, sheet in enumerate(all_sheets)
        for note in (found.notes or {}).get(sheet.plan.source, ())
    ]
    if not found.is_whole:
        text = "There was not time enough to check all rows; the job does it before it writes anything."
        lines.append(_line("warn", "not finished", text))
    for fault in found.faults:
        if fault.severity == "warning":
            problem = _problem(draft, fault)
            lines.append(_line("warn", "note", f"{fault.message} {fault.hint}", problem["url"]))
    if found.is_whole and not lines and not _problems(draft, found):
        lines.append(_line("ok", "fine", "names, types, lengths, keys, the collections of the target"))
    return lines


def _line(tone: str, label: str, text: str, url: str = "") -> dict[str, Any]:
    return {
        "tone": tone,
        "label": label,
        "text": text,
        "detail": "",
        "url": url,
        "url_label": "Show" if url else "",
    }


def _problems(draft: Draft, found: Checked | None) -> list[dict[str, str]]:
    return [_problem(draft, fault) for fault in found.faults if fault.severity == "error"] if found else []


def _problem(draft: Draft, fault: Fault) -> dict[str, str]:
    names = drafts.chosen(draft)
    place = names.index(fault.collection) if fault.collection in names else None
    url = reverse("wizard_select", args=[draft.pk]) if place is None else schema_url(draft, place)
    return {
        "message": fault.message,
        "hint": fault.hint,
        "code": fault.code,
        "url": url,
        "url_label": "Change the selection" if place is None else f"Change {fault.collection}",
    }


def _facts(draft: Draft, rows: list[dict[str, Any]]) -> list[dict[str, str]]:
    facts = drafts.target_facts(draft)
    found = []
    if facts is not None:
        taken = f"{counted(len(facts.taken), 'collection')} in “{facts.database}” already"
        found.append({"label": "Target", "text": facts.server, "note": taken})
        found.append(
            {
                "label": "Capacity",
                "text": "has to hold what is moved",
                "note": _capacity(facts.capabilities.flavour),
            }
        )
    found.append({"label": "Meanwhile", "text": MEANWHILE, "note": ""})
    return found


def _capacity(flavour: str) -> str:
    return "CUs of the cluster" if flavour == "zilliz" else "memory and disk of the server"
