"""Step 4, Migrate: the summary, the results of preflight, the options, and the start of the job."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.contrib.auth.models import User
from django.http import QueryDict
from django.urls import reverse

from console.draft import contents, preflight_cache
from console.draft.plan import options_of, plan_of
from console.draft.preflight_cache import CachedPreflight
from console.html_anchors import anchor
from console.schema import tables
from console.schema.page.context import url as schema_url
from console.schema.problems import page_text, without_plan_lines
from console.schema.table import MappingTable
from console.wizard import fixes, indexes, trial
from console.wizard.fixes import FixButton
from console.wizard.indexes import IndexLine
from console.wizard.migrate_form import OptionsForm
from console.wizard.summary import line, summary
from migrations_app import services
from migrations_app.engine.errors import FerryError, PlanRefused
from migrations_app.engine.faults import Fault
from migrations_app.engine.log import counted
from migrations_app.engine.model.plan import Plan
from migrations_app.engine.preflight import check_collection
from migrations_app.engine.preflight.scans.all_rows import LOOKED_FOR, is_complete
from migrations_app.engine.preflight.scans.endpoints import check_indexes
from migrations_app.engine.preflight.scans.existing import ExistingRows
from migrations_app.engine.preflight.scans.losses import LOST
from migrations_app.engine.sources.registry import source_class
from migrations_app.models import Draft, Job

TRY_ROWS = 1_000
LIMITS = {"try": str(TRY_ROWS), "all": ""}  # the row limit that a button sets
SAVING = frozenset({"save", "indexes", *LIMITS})  # actions that only save the options
CHANGES_NOTE = "rows that are written or changed in the source during the job may be missed"


def form_of(draft: Draft, data: Any = None) -> OptionsForm:
    facts = contents.target_facts(draft)
    needs_index = facts is None or facts.capabilities.count_needs_load
    return OptionsForm(options_of(draft), data, needs_index=needs_index)


def sent(data: QueryDict) -> QueryDict:
    """Return the sent form with the row limit that the pressed button sets."""
    data = data.copy()
    if (limit := LIMITS.get(data.get("action", ""))) is not None:
        data["limit_rows"] = limit
    return data


def save_options(draft: Draft, form: OptionsForm) -> Draft:
    options = form.options(options_of(draft)).model_dump()
    return services.draft_save(draft=draft, plan=draft.plan | {"options": options})


def save_indexes(draft: Draft, lines: Sequence[IndexLine]) -> Draft:
    """Store the chosen indexes. What the last check found about the rows stays valid."""
    before = plan_of(draft)
    draft = indexes.save(draft, lines)
    preflight_cache.carry_over(draft, before, plan_of(draft), tuple(_index_faults(draft)))
    return draft


def _index_faults(draft: Draft) -> Iterator[Fault]:
    """Yield what the rules say about the indexes of the draft."""
    facts, plan = contents.target_facts(draft), plan_of(draft)
    if facts is None:
        return
    for place, table in enumerate(tables.of(draft)):
        found = check_collection(table.plan, table.schema, facts.capabilities, table.added_to)
        yield from (f.under(f"collections[{place}]") for f in found if preflight_cache.is_of_index(f))
    source, plans = source_class(draft.kind), dict(enumerate(plan.collections))
    yield from check_indexes(plan, source, facts.capabilities, plans)


def start(draft: Draft, user: User) -> Job:
    """Create the job; a second click returns the job of the first. Raises ``PlanRefused`` with the errors of
    preflight."""
    plan = plan_of(draft)
    preflight = preflight_cache.known(draft, plan) or preflight_cache.check(draft, plan)
    if errors := tuple(fault for fault in preflight.faults if fault.severity == "error"):
        raise PlanRefused(errors)
    planned = trial.asked(draft, plan)
    return services.job_create(
        plan=planned.plan,
        trial_targets=planned.real,
        user=user,
        source_connection=draft.source_connection,
        target_connection=draft.target_connection,
        draft=draft,
    )


def apply_fix(draft: Draft, fix: str) -> Draft:
    """Apply a fix of the last check to the draft. Raises ``FerryError`` if the source refuses it."""
    return fixes.apply_fix(draft, preflight_cache.known(draft, plan_of(draft)), fix)


def replaced(plan: Plan, preflight: CachedPreflight | None) -> dict[str, ExistingRows]:
    """Return the existing collections that the job drops before it creates its own, by name. A trial does not
    touch them."""
    if plan.options.limit_rows is not None:
        return {}
    sources = {c.source for c in plan.collections if c.if_exists == "replace"}
    existing = (preflight.held or {}) if preflight else {}
    return {rows.name: rows for source, rows in existing.items() if source in sources}


def _earlier(name: str) -> str:
    return f"The earlier trial “{name}”"


def unconfirmed(draft: Draft, confirmed: list[str]) -> str:
    """Return the question to ask before the job is created; empty if nothing is dropped or all is
    confirmed."""
    plan = plan_of(draft)
    dropped = replaced(plan, preflight_cache.known(draft, plan) or preflight_cache.check(draft, plan))
    return dropped_text(draft, dropped) if set(dropped) - set(confirmed) else ""


def dropped_text(draft: Draft, dropped: dict[str, ExistingRows]) -> str:
    if not dropped:
        return ""
    route, names = contents.route(draft), " and ".join(map(str, dropped.values()))
    is_one = len(dropped) == 1
    return (
        f"{names} in “{route.database}” of {route.target_name} {'is' if is_one else 'are'} dropped with all "
        f"{'its' if is_one else 'their'} rows before the first new row is written. This cannot be undone."
    )


def context(
    draft: Draft, form: OptionsForm, *, again: bool = False, lines: Sequence[IndexLine] | None = None
) -> dict[str, Any]:
    """Return the template context. Checks the plan if it was not checked before, or if ``again``."""
    plan, error = plan_of(draft), None
    preflight = None if again else preflight_cache.known(draft, plan)
    try:
        preflight = preflight or preflight_cache.check(draft, plan)
    except FerryError as failed:
        error = failed.as_dict() | {
            "url": reverse("wizard_select", args=[draft.pk]),
            "url_label": "Check the connections",
        }
    all_tables, options = tables.of(draft), plan.options
    planned = trial.planned(draft, plan)
    rows = [
        line(draft, table, place, preflight, options.limit_rows) | {"target_name": name}
        for place, (table, name) in enumerate(zip(all_tables, planned.names, strict=True))
    ]
    counts = [row["rows"] for row in rows]
    dropped = replaced(plan, preflight)
    dropped_first = [*map(str, dropped.values()), *map(_earlier, planned.replaced)]
    return {
        "collections": rows,
        "summary": summary(draft, rows, options, dropped_first),
        "dropped": list(dropped),
        "dropped_text": dropped_text(draft, dropped),
        "form": form,
        "indexes": indexes.lines_of(draft) if lines is None else lines,
        "checks": _checks(draft, all_tables, preflight),
        "checked_at": preflight and preflight.at,
        "problems": [error] if error else _problems(draft, preflight),
        "facts": _facts(draft),
        "total_rows": None if None in counts else sum(counts),
        "total_exact": all(row["rows_exact"] for row in rows),
        "try_rows": TRY_ROWS,
        "plan_url": reverse("wizard_plan", args=[draft.pk]),
    }


def _checks(
    draft: Draft, all_tables: list[MappingTable], preflight: CachedPreflight | None
) -> list[dict[str, Any]]:
    if preflight is None:
        return []
    shown = {text for fault in preflight.faults for text in (fault.message, fault.note)}  # below
    lines = [
        _line("warn", "note", f"{table.plan.source}: {without_plan_lines(note)}", schema_url(draft, place))
        for place, table in enumerate(all_tables)
        for note in (preflight.notes or {}).get(table.plan.source, ())
        if note not in shown
    ]
    if not preflight.is_whole:
        text = "There was not enough time to check all rows. The job checks them before it writes anything."
        lines.append(_line("warn", "not finished", text))
    for place, fault in enumerate(preflight.faults):
        if fault.severity == "warning":
            problem = _problem(draft, fault)
            buttons = fixes.buttons(place, fault)
            text = page_text(fault, has_buttons=bool(buttons))
            text = f"{fault.collection}: {text}".removeprefix(": ")
            label = "lost rows" if fault.code == LOST else "note"
            lines.append(_line("warn", label, text, problem["url"], buttons))
    lines.sort(key=lambda line: bool(line["label"] != "lost rows"))  # what is lost comes first
    if preflight.is_whole and not lines and not _problems(draft, preflight):
        lines.append(_line("ok", "passed", "names, types, keys and target collections"))
    return lines + _looked(preflight.looked or {})


def _looked(texts: dict[str, str]) -> list[dict[str, Any]]:
    """Return the lines that say at which rows the check looked: one for all collections that it saw whole."""
    whole = [source for source, text in texts.items() if is_complete(text)]
    if len(whole) > 1:
        lines = [_line("ok", "rows", f"All rows of {', '.join(whole)} were checked for {LOOKED_FOR}.")]
    else:
        lines = [_line("ok", "rows", f"{source}: {texts[source]}") for source in whole]
    partly = {source: text for source, text in texts.items() if text and source not in whole}
    return lines + [_line("warn", "rows", f"{source}: {text}") for source, text in partly.items()]


def _line(
    tone: str, label: str, text: str, url: str = "", buttons: Sequence[FixButton] = ()
) -> dict[str, Any]:
    return {
        "tone": tone,
        "label": label,
        "text": text,
        "detail": "",
        "fixes": buttons,
        "url": url,
        "url_label": "Show" if url else "",
    }


def _problems(draft: Draft, preflight: CachedPreflight | None) -> list[dict[str, Any]]:
    return [
        _problem(draft, fault) | {"fixes": fixes.buttons(place, fault)}
        for place, fault in enumerate(preflight.faults if preflight else ())
        if fault.severity == "error"
    ]


def _problem(draft: Draft, fault: Fault) -> dict[str, Any]:
    names = contents.chosen(draft)
    is_of_collection = fault.collection in names and fault.option != "select"
    place = names.index(fault.collection) if is_of_collection else None
    url = reverse("wizard_select", args=[draft.pk]) if place is None else schema_url(draft, place)
    if place is not None and fault.field:
        url = f"{url}#{anchor(fault.field)}"
    return {
        "message": fault.message,
        "hint": fault.hint,
        "code": fault.code,
        "url": url,
        "url_label": "Change the selection" if place is None else f"Change {fault.collection}",
    }


def _facts(draft: Draft) -> list[dict[str, str]]:
    facts = contents.target_facts(draft)
    lines = []
    if facts is not None:
        taken = f"“{facts.database}” already has {counted(len(facts.taken), 'collection')}"
        lines.append({"label": "Target", "text": facts.server, "note": taken})
        lines.append(
            {
                "label": "Capacity",
                "text": f"the data must fit into {_capacity(facts.capabilities.flavour)}",
                "note": "",
            }
        )
    lines.append({"label": "Note", "text": CHANGES_NOTE, "note": ""})
    return lines


def _capacity(flavour: str) -> str:
    return "the CUs of the cluster" if flavour == "zilliz" else "the server’s memory and disk"
