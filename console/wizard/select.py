"""Step 2, Select Source and Target: the collections to move, and the target to move them into."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.forms.boundfield import BoundField
from django.http import QueryDict
from django.urls import reverse

from console.draft import contents, endpoint_facts
from console.draft.row_selection import BlankSelection, RowSelectionForm
from console.draft.snapshot import TargetFacts, target_to_json
from console.schema import tables
from console.wizard import ticks
from console.wizard.missing_features import missing_features
from console.wizard.select_form import SelectionForm, TargetForm
from migrations_app import endpoints, services
from migrations_app.engine.errors import FerryError
from migrations_app.engine.sources.base import CollectionInfo
from migrations_app.engine.sources.registry import source_class
from migrations_app.models import Connection, Draft

FLOAT_BYTES = 4


@dataclass
class SelectPage:
    """The state of the page. ``ticked`` are the selected collections; ``error`` is from the source,
    ``target_error`` from the target."""

    draft: Draft
    listing: tuple[CollectionInfo, ...]
    selection: SelectionForm
    target_form: TargetForm
    ticked: list[str]
    facts: TargetFacts | None = None
    error: Any = None
    target_error: FerryError | None = None
    one: str = "collection"
    many: str = "collections"
    most: int = 1
    row_selection: dict[str, RowSelectionForm] = field(default_factory=dict)
    blank: BlankSelection | None = None

    @property
    def is_refused(self) -> bool:
        has_errors = any(form.errors for form in self.row_selection.values())
        return bool(
            has_errors or self.selection.errors or self.target_form.errors or self.error or self.target_error
        )

    @property
    def is_valid(self) -> bool:
        """True if the sent values are valid. All forms are checked, so that all errors are shown together."""
        valid_selections = [form.is_valid() for form in self.row_selection.values() if form.is_bound]
        return self.selection.is_valid() & self.target_form.is_valid() & all(valid_selections)

    @property
    def faults(self) -> list[dict[str, str]]:
        """Return a text for each fault of the form, with the id of its control."""
        found = [("collections", self.selection.error)] if self.selection.error else []
        for name, form in self.row_selection.items():
            found += [(form[key].auto_id, f"{name}: {' '.join(texts)}") for key, texts in form.errors.items()]
        found += [(self.target_form[key].auto_id, " ".join(t)) for key, t in self.target_form.errors.items()]
        found += [("target", self.target_error.message)] if self.target_error else []
        return [{"id": place, "text": text} for place, text in found]

    def context(self) -> dict[str, Any]:
        ticked = set(self.ticked)
        rows = [_row(info, info.name in ticked, self) for info in self.listing]
        return {
            "words": {"one": self.one, "many": self.many},
            "collections": sorted(rows, key=lambda row: not row["selected"]),
            "groups": sorted({info.group for info in self.listing if info.group}),
            "chosen_text": chosen_text(sum(row["selected"] for row in rows), self.most),
            "faults": self.faults,
            "max_collections": self.most,
            "nothing_text": f"The source lists no {self.many}. Check the settings of the connection.",
            "collections_error": self.selection.error,
            "target_form": self.target_form,
            "target": self.facts and _target(self.target_form, self.facts),
            "target_error": self.target_error,
            "error": self.error,
        }


def open_page(draft: Draft, data: Any = None) -> SelectPage:
    """Return the page with the values of the draft and a new listing; or, with ``data``, with the values of
    the sent form and the stored listing."""
    error, listing = None, contents.listing(draft)
    if data is None or not listing:
        try:
            listing = endpoint_facts.list_collections(draft)
        except FerryError as failed:
            if failed.code in ("draft_missing", "draft_started"):  # there is no page to show
                raise
            url = reverse("wizard_connect", args=[draft.pk])
            error = failed.as_dict() | {"url": url, "url_label": "Check the connection"}
        else:
            endpoint_facts.store_listing(draft, listing)
    source = source_class(draft.kind)
    one, many = source.collection_words
    most = min(
        settings.VECTORFERRY_MAX_COLLECTIONS, source.max_collections or settings.VECTORFERRY_MAX_COLLECTIONS
    )
    facts = contents.target_facts(draft)
    targets = Connection.objects.filter(is_target=True)
    database = contents.database(draft)
    is_new = facts is not None and database not in facts.databases
    initial = {"target": draft.target_connection_id, "database": database}
    initial |= {"new_database": database} if is_new else {}
    ticked = data.getlist("collections") if data is not None else ticks.ticked(draft)
    row_selection, blank = _row_selections(draft, listing, set(ticked), data)
    return SelectPage(
        draft,
        listing,
        SelectionForm(listing, data, one=one),
        TargetForm(targets, facts, data, initial),
        ticked,
        facts,
        error,
        one=one,
        many=many,
        most=most,
        row_selection=row_selection,
        blank=blank,
    )


def rest_text(page: SelectPage, rest: int) -> str:
    """Return what becomes of the collections that one job cannot move."""
    most = f"{page.most} {page.one if page.most == 1 else page.many}"
    other = f"The other {rest} {'follows' if rest == 1 else 'follow'}"
    return f"One job moves {most}. {other} in the next draft, which is made when this job starts."


def chosen_text(chosen: int, most: int) -> str:
    """Return how many collections are chosen, of as many as one job can move. The script of the page changes
    the text in the same way."""
    if chosen <= most:
        return f"{chosen} of {most} chosen"
    return f"{chosen} chosen: the first {most} are this migration, the other {chosen - most} the next one"


def _row_selections(
    draft: Draft, listing: tuple[CollectionInfo, ...], ticked: set[str], data: Any
) -> tuple[dict[str, RowSelectionForm], BlankSelection | None]:
    """Return the row selection forms of the collections that are ticked or were selected before, and the one
    of all others, if the source supports it. Sent values of a collection that is not ticked are ignored."""
    model, known = source_class(draft.kind).Selection, tables.selections(draft)
    if not model.model_fields:
        return {}, None
    sent = ticks.kept(draft) if data is None else data
    bound = ticked & set(sent.getlist("collections"))
    names = [info.name for info in listing if not info.not_selectable]
    forms = {
        name: RowSelectionForm(model, name, known.get(name, {}), sent if name in bound else None)
        for name in names
        if name in ticked or known.get(name)
    }
    return forms, BlankSelection(model)


def ask_values(page: SelectPage, control: str = "") -> BoundField | None:
    """Ask the source for the values that can be chosen, for the controls of the selected collections or only
    for the one with this HTML name. Return that control; None if there is none."""
    forms = [form for name, form in page.row_selection.items() if name in page.ticked]
    connection = page.draft.source_connection
    with (
        endpoints.open_source(connection.kind, connection.settings) as source,
        endpoints.looking(source) as ctx,
    ):
        for form in forms:
            form.ask_values(source, ctx, control)
    return next((field for form in forms for field in form if field.html_name == control), None)


def choose_target(page: SelectPage, data: Mapping[str, Any]) -> None:
    """Connect to the target that was sent, and show its databases."""
    connection = page.target_form.connections.get(data.get("target") or "")
    page.facts = None
    if connection is not None:
        try:
            page.facts = endpoint_facts.learn(connection, data.get("database") or contents.DEFAULT_DATABASE)
        except FerryError as error:
            page.target_error = error
    initial = {
        "target": connection.pk if connection else "",
        "database": page.facts.database if page.facts else "",
    }
    page.target_form = TargetForm(page.target_form.connections.values(), page.facts, initial=initial)


def save(page: SelectPage, data: QueryDict) -> bool:
    """Describe the selected collections and store them in the draft with their defaults. False if refused."""
    connection = page.target_form.connections.get(data.get("target") or "")
    if connection is None:
        _ = page.is_valid  # to show the other errors too
        return False
    try:
        created = data.get("new_database", "").strip()
        database = created or data.get("database") or contents.DEFAULT_DATABASE
        page.facts = endpoint_facts.learn(connection, database, create=bool(created))
    except FerryError as error:
        page.target_error = error
        return False
    page.target_form = TargetForm(page.target_form.connections.values(), page.facts, _sent(data, page))
    return page.is_valid and _save(page, connection, data)


def _sent(data: Mapping[str, Any], page: SelectPage) -> dict[str, Any]:
    """Return the sent values; if the page had no database control yet, with the database that was found."""
    assert page.facts is not None
    return {
        "target": data.get("target"),
        "database": data.get("database") or page.facts.database,
        "new_database": data.get("new_database", ""),
    }


def _save(page: SelectPage, connection: Connection, data: QueryDict) -> bool:
    assert page.facts is not None
    draft = services.draft_save(
        draft=page.draft,
        target_connection=connection,
        plan=page.draft.plan | {"target": contents.target_plan(page.facts)},
        state=page.draft.state | {contents.TARGET: target_to_json(page.facts)},
    )
    row_selection = page.row_selection
    names, rest = ticks.split(page.selection.cleaned_data["collections"], page.most, data)
    try:
        tables.select(draft, {n: row_selection[n].values() if n in row_selection else {} for n in names})
    except tables.DescribeFailed as error:
        row_selection[error.collection].refuse(error.field, f"{error.message} {error.hint}")
        return False
    except FerryError as error:
        page.error = error
        return False
    state = {key: value for key, value in draft.state.items() if key != contents.TICKED}
    services.draft_save(draft=draft, state=state | {contents.REST: rest})
    return True


def _row(info: CollectionInfo, selected: bool, page: SelectPage) -> dict[str, Any]:
    row_selection = page.row_selection.get(info.name)
    is_blank = row_selection is None and page.blank is not None and not info.not_selectable
    return {
        "name": info.name,
        "schema": info.group,
        "title": info.label,
        "kind": info.kind,
        "rows": info.rows,
        "rows_exact": info.rows_exact,
        "size_bytes": _size_bytes(info),
        "vectors": [{"name": vector.name, "dimension": vector.dim} for vector in info.vectors],
        "selectable": not info.not_selectable,
        "reason": info.not_selectable,
        "note": "" if info.not_selectable else info.note,
        "selected": selected and not info.not_selectable,
        "row_selection": row_selection,
        "blank_selection": page.blank.html(info.name) if is_blank and page.blank else "",
    }


def _size_bytes(info: CollectionInfo) -> int | None:
    """Return the approximate size of the vectors; the size in the source if it is larger, or if the size of
    the vectors is not known."""
    if info.rows is None or not all(vector.dim for vector in info.vectors):
        return info.size_bytes
    vectors = info.rows * sum(vector.dim or 0 for vector in info.vectors) * FLOAT_BYTES
    return max(vectors, info.size_bytes or 0)


def _target(form: TargetForm, facts: TargetFacts) -> dict[str, Any]:
    connection = form.connections.get(str(facts.connection))
    return {
        "name": connection.name if connection else "",
        "server": facts.server,
        "notes": list(missing_features(facts.capabilities)),
    }
