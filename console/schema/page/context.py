"""Page of step 3, Configure Schema: the template context of one collection's mapping table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.urls import reverse

from console.draft import contents, preflight_cache
from console.draft.plan import plan_of
from console.draft.snapshot import TargetFacts
from console.format import rows as number_of_rows
from console.model_forms.form import summary
from console.schema import problems, tables
from console.schema.forms.collection import PARTITION_NAME, CollectionForm
from console.schema.forms.field import FieldForm
from console.schema.forms.full_text import full_text_forms
from console.schema.forms.source_options import SourceOptionsForm
from console.schema.legal_names import refused_names
from console.schema.page.copied import copied_context
from console.schema.page.key_notes import joined_example, key_notes
from console.schema.page.parts import mark
from console.schema.page.preview import preview
from console.schema.page.row_counts import rows_of
from console.schema.page.rows import row_context
from console.schema.problems import Problem
from console.schema.table import MappingTable, Placement
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.errors import FerryError
from migrations_app.engine.faults import Fault
from migrations_app.engine.log import counted
from migrations_app.engine.mapping import ServerChecks
from migrations_app.engine.milvus.capabilities import Capabilities
from migrations_app.engine.preflight.scans.losses import LOST, NO_ROW
from migrations_app.engine.sources.registry import source_class
from migrations_app.models import Draft

# A problem in one of these settings opens the advanced settings.
ADVANCED = frozenset({"if_exists", "rest", "shards", "full_text"})
EXISTS_TEXTS = {
    "error": "stop if the collection exists",
    "append": "add rows if the collection exists",
    "replace": "replace the collection if it exists",
}


def options_model(draft: Draft) -> type[SettingsModel]:
    return source_class(draft.kind).Options


def context(draft: Draft, index: int) -> dict[str, Any]:
    """Return the template context for the page of collection ``index``."""
    facts = contents.target_facts(draft)
    assert facts is not None
    all_tables, all_problems = tables.of(draft), tables.problems_of(draft)
    errors = [problems.blocking(p) for p in all_problems]
    table = all_tables[index]
    all_problems = [*all_problems]
    all_problems[index] = problems.with_losses(all_problems[index], table, _losses(draft, table))
    shown, preview_error = _preview(table, facts.capabilities, bool(errors[index]))
    first = next(((n, p[0]) for n, p in enumerate(errors) if p), None)
    whole = {
        "tabs": [
            {
                "title": _title(draft, s),
                "url": url(draft, number),
                "problems": len(p),
                "current": number == index,
            }
            for number, (s, p) in enumerate(zip(all_tables, errors, strict=True))
        ],
        "collection": _collection(draft, table, facts, all_problems, index),
        "preview": shown,
        "preview_error": preview_error,
        "problem_count": sum(map(len, errors)),
        "problem_text": _problem_text(draft, all_tables, errors),
        "first_problem_url": f"{url(draft, first[0])}#{first[1].anchor or 'schema'}" if first else "",
    }
    return mark(whole)


def url(draft: Draft, index: int = 0) -> str:
    return reverse("wizard_schema", args=[draft.pk, index] if index else [draft.pk])


def _losses(draft: Draft, table: MappingTable) -> list[Fault]:
    """Return the reasons for which rows of the collection would not be moved, if the last check counted them
    for this plan."""
    checked = preflight_cache.known(draft, plan_of(draft)) if preflight_cache.CHECKED in draft.state else None
    faults = checked.faults if checked else ()
    return [f for f in faults if f.code in (LOST, NO_ROW) and f.collection == table.schema.name]


def _preview(
    table: MappingTable, capabilities: Capabilities, is_faulty: bool
) -> tuple[Any, FerryError | None]:
    if is_faulty:
        return None, None
    try:
        return preview(table, ServerChecks.of(capabilities)), None
    except FerryError as error:
        return None, error


def _title(draft: Draft, table: MappingTable) -> str:
    info = contents.info(draft, table.schema.name)
    return info.label if info else table.schema.name


def _problem_text(draft: Draft, all_tables: list[MappingTable], errors: list[list[Problem]]) -> str:
    parts = [
        f"{counted(len(p), 'problem')} in {_title(draft, s)}"
        for s, p in zip(all_tables, errors, strict=True)
        if p
    ]
    return ", ".join(parts)


def _collection(
    draft: Draft, table: MappingTable, facts: TargetFacts, all_problems: list[list[Problem]], index: int
) -> dict[str, Any]:
    its_problems = all_problems[index]
    capabilities, copied = facts.capabilities, table.copied
    form = CollectionForm(table, capabilities)
    rows = table.rows(capabilities)
    chosen = rows_of(draft, table)
    listed = [row for row in rows if not row.is_open]
    in_dynamic_field = [row for row in listed if row.source.opened_from and table.plan.rest == "dynamic"]
    return {
        "source_name": table.schema.name,
        "rows": chosen.number,
        "rows_exact": chosen.is_exact,
        "row_selection": ", ".join(summary(source_class(draft.kind).Selection, table.row_selection)),
        "moving": sum(row.placement is not Placement.LEFT or row in in_dynamic_field for row in listed),
        "total": len(listed),
        "facts": list(table.schema.facts),
        "warnings": warnings(table, capabilities),
        "advanced_text": _advanced_text(table, capabilities),
        "advanced_open": any(p.field in ADVANCED for p in its_problems),
        "form": form,
        "source_options": _source_options(draft, table),
        "joined_example": joined_example(table),
        "partitions": form.partitions(table),
        "partitions_open": any(p.field.startswith(PARTITION_NAME) for p in its_problems),
        "full_text": full_text_forms(table, capabilities),
        "full_text_missing": "" if capabilities.full_text else capabilities.missing("full_text"),
        "can_add": source_class(draft.kind).can_add_fields,
        "rename_all": names if (names := sum(len(refused_names(p)) for p in all_problems)) > 1 else 0,
        "copied": copied and copied_context(table, copied, capabilities, its_problems),
        "problems": [problem for problem in its_problems if not problem.anchor],
        "fields": []
        if copied
        else [
            row_context(row, table, FieldForm(row, table, capabilities), facts, its_problems) for row in rows
        ],
    }


def _source_options(draft: Draft, table: MappingTable) -> dict[str, Any] | None:
    form = SourceOptionsForm(options_model(draft), table)
    return {"title": source_class(draft.kind).title, "form": form} if form.fields else None


def _advanced_text(table: MappingTable, capabilities: Capabilities) -> str:
    """Return a summary of the advanced settings."""
    plan, is_copied = table.plan, table.copied is not None
    parts = [] if is_copied or capabilities.max_shards == 1 else [counted(plan.shards, "shard")]
    parts += [] if is_copied else [f"dynamic field {'on' if plan.dynamic_field else 'off'}"]
    if capabilities.full_text:
        searched = ", ".join(entry.field for entry in plan.full_text)
        parts.append(f"full-text search {f'on {searched}' if searched else 'off'}")
    return " · ".join([*parts, EXISTS_TEXTS[plan.if_exists]])


def warnings(table: MappingTable, capabilities: Capabilities) -> list[str]:
    """Return the notes that the user should read before the next step; none of them is a problem."""
    return [*table.schema.notes, *key_notes(table, capabilities), *_existing(table)]


def _existing(table: MappingTable) -> Iterator[str]:
    """The note about what the job does with the existing collection."""
    existing, plan = table.existing, table.plan
    if existing is None:
        return
    name = f"“{existing.schema.name}” ({number_of_rows(existing.rows, existing.is_exact)} rows)"
    if plan.if_exists == "replace":
        yield f"{name} is dropped with all its rows before the first new row is written."
    else:
        equal_keys = "" if plan.is_auto_id else " A row whose key already exists replaces the old row."
        yield f"Rows are added to {name}. The fields must match the fields of this collection.{equal_keys}"


def next_url(draft: Draft) -> str:
    """Return the address of the last step or, if there are problems, of the first one."""
    for place, its_problems in enumerate(tables.problems_of(draft)):
        if errors := problems.blocking(its_problems):
            return f"{url(draft, place)}#{errors[0].anchor or 'schema'}"
    return reverse("wizard_migrate", args=[draft.pk])
