"""Rules for opened columns: the columns that can be opened, the types of their keys, and the other keys."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import chain

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.mapping.checks.findings import Finding
from migrations_app.engine.mapping.compile import fixed_key
from migrations_app.engine.mapping.documents import read_documents
from migrations_app.engine.model.json.documents import Members, find, remove
from migrations_app.engine.model.key_paths import opened_path, path_of
from migrations_app.engine.model.names import duplicates, free_name
from migrations_app.engine.model.plan import FieldPlan
from migrations_app.engine.model.target_schema import META
from migrations_app.engine.planning.added_fields import written_choice
from migrations_app.engine.planning.target_names import legal_name
from migrations_app.engine.preflight.subject import FieldEntry, Subject

REJECT_MISFITS = Fix("Reject the row", "misfit", "reject")
_FIELD_OPTIONS = ("type", "element_type", "fill_null")
# Findings about size are not reported here: another rule compares the longest value of the sample.
_TYPE_FINDINGS = frozenset({"misfit", "json_not_object"})


def check_open(subject: Subject) -> Iterator[Fault]:
    """Check that opened columns exist and contain objects."""
    twice = duplicates(subject.opened)
    for number, name in enumerate(subject.opened):
        source = subject.schema.field(name)
        if name in twice:
            message = f"“{name}” is listed twice in “open”."
            yield subject.fault(f"open[{number}]", "open_twice", message, "List it once.")
        if source is None or source.opened_from:
            message = f"“{subject.schema.name}” has no column “{name}” to open."
            code, names = ("open_unknown", [f.name for f in subject.schema.fields if f.can_open])
            hint = (
                f"Columns with JSON: {', '.join(names)}." if names else "None of its columns contains JSON."
            )
        elif not source.can_open:
            message = f"“{name}” ({source.native_type}) cannot be opened."
            code, hint = "open_type", "Only JSON columns have keys."
        else:
            continue
        yield subject.fault(f"open[{number}]", code, message, hint)


def check_rest(subject: Subject) -> Iterator[Fault]:
    """Check that the keys that do not become fields have a place, and that ``rest`` is used correctly."""
    plan = subject.plan
    if plan.rest == "drop" and not subject.opened:
        message = "“rest” applies to the keys of opened columns, but no column is opened."
        hint = "Remove it, or open a column: “open: [name]”."
        yield subject.fault("rest", "option_misplaced", message, hint, Fix("Remove it", "rest", "dynamic"))
    elif plan.rest == "dynamic" and subject.opened and not plan.dynamic_field:
        message = "The keys that do not become fields go into the dynamic field, which is turned off."
        hint = "Turn it on, or drop these keys (rest: drop)."
        fix = Fix("Turn the dynamic field on", "dynamic_field", "true")
        yield subject.fault("rest", "dynamic_field_off", message, hint, fix)


def check_rest_names(subject: Subject) -> Iterator[Fault]:
    """Check that no key of the dynamic field has the name of a field, or of another key there."""
    if subject.plan.rest == "drop":
        return
    fixed = subject.field_names()
    seen = {e.plan.as_ for e in subject.entries() if e.plan.as_}
    keys = list(_rest_keys(subject))
    taken = fixed | seen | {name for _, name in keys}
    for column, name in keys:
        path = path_of((column, name))
        if name == META or name in subject.capabilities.hidden_keys:
            message = f"“{path}” cannot be in the dynamic field under the name “{name}”."
        elif name in fixed:
            message = f"“{path}” would go into the dynamic field, but a field is also called “{name}”."
        elif name in seen:
            message = f"Two keys of the dynamic field would be called “{name}”; one of them is “{path}”."
        else:
            seen.add(name)
            continue
        other = free_name("meta" if name == META else name, taken)
        as_field = legal_name(other, taken, subject.capabilities)
        taken |= {other, as_field}
        yield _name_taken(subject, path, message, other, as_field)


def _name_taken(subject: Subject, path: str, message: str, other: str, as_field: str) -> Fault:
    """Return a fault whose fixes keep the value: in the dynamic field as ``other``, or as a field."""
    hint = (
        f"Move it under another name ({{source: {path}, dynamic: true, as: {other}}}), or make it a field "
        f"({{source: {path}, target: {as_field}}})."
    )
    fault = subject.fault("rest", "dynamic_name_taken", message, hint)
    source = subject.schema.field(path)
    if source is None or not source.opened_from:  # the sample has more keys than the page lists
        return fault
    fixes = (
        Fix(f"Move it as “{other}”", "as", other, (("include", "true"), ("dynamic", "true"))),
        Fix(f"Make it a field “{as_field}”", "target", as_field, (("include", "true"),)),
    )
    return replace(fault, field=path, fixes=fixes)


def _rest_keys(subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield the keys of the sample that no entry of the plan uses, with their columns."""
    entries = (entry.plan.source for entry in subject.entries() if entry.is_key_of_document)
    paths = [path for source in entries if (path := opened_path(source, subject.opened))]
    for column, documents in _sampled(subject):
        for path in paths:
            for document in documents if path.column == column else ():
                remove(document, path.parts)
        yield from ((column, name) for name in dict.fromkeys(chain.from_iterable(documents)))


def check_opened_types(subject: Subject) -> Iterator[Fault]:
    """Check the types of document keys: all except vectors are allowed. If the key is not in the sample, the
    plan must name its type."""
    for entry in subject.entries():
        if not entry.is_key_of_document:
            continue
        if entry.plan.dynamic:
            yield from _check_dynamic(entry)
        elif entry.plan.type is None:
            message = f"“{entry.name}” is not in the sample, so its type is not known."
            yield entry.fault("type", "type_missing", message, "Set its type.")
        elif written_choice(entry.plan) is None:
            message = f"“{entry.name}” is a key of a document and cannot become {entry.type_name}."
            hint = "Use BOOL, a number type, VARCHAR, JSON, or ARRAY with an element_type."
            yield entry.fault("type", "type_unsuitable", message, hint)
        elif entry.plan.type not in subject.capabilities.types:
            message = f"{entry.plan.type} {subject.capabilities.missing(entry.plan.type)}."
            yield entry.fault("type", "type_unavailable", message, "Choose another type.")


def _check_dynamic(entry: FieldEntry) -> Iterator[Fault]:
    for option in _FIELD_OPTIONS:
        if getattr(entry.plan, option) is not None:
            message = f"“{entry.name}” goes into the dynamic field unchanged: it cannot have “{option}”."
            yield entry.fault(option, "option_misplaced", message, "Remove it.", Fix("Remove it", option, ""))


def check_type_mismatch_rule(subject: Subject) -> Iterator[Fault]:
    """Check ``misfit`` and ``as``: values with a type mismatch need a place, and so does the field itself."""
    for entry in subject.entries():
        if entry.plan.added:
            continue
        if entry.plan.as_ == "":
            message = f"“as” of “{entry.name}” is empty."
            yield entry.fault("as", "name_empty", message, "Write a name, or leave “as” out.")
        if entry.plan.misfit != "dynamic":
            if entry.plan.as_ is not None and not entry.plan.dynamic:
                message = f"“as” names a key of the dynamic field, but “{entry.name}” does not go there."
                yield entry.fault("as", "option_misplaced", message, "Remove it.", Fix("Remove it", "as", ""))
        elif not _may_mismatch(entry):
            message = (
                "“misfit” applies to document keys that become fields, and to fields whose types are known "
                f"from a sample only. “{entry.name}” is neither."
            )
            yield entry.fault("misfit", "option_misplaced", message, "Remove it.", REJECT_MISFITS)
        elif not subject.plan.dynamic_field:
            message = (
                f"Values of “{entry.name}” with a type mismatch go into the dynamic field, "
                "which is turned off."
            )
            fix = Fix("Turn the dynamic field on", "dynamic_field", "true")
            yield entry.fault("misfit", "dynamic_field_off", message, "", fix, REJECT_MISFITS)
        elif not entry.plan.nullable and entry.plan.default is None and entry.plan.fill_null is None:
            message = (
                f"If a value of “{entry.name}” has a type mismatch, there is no value for the field itself."
            )
            hint = "Make it nullable, or give it a default or fill_null."
            yield entry.fault("misfit", "misfit_needs_null", message, hint, REJECT_MISFITS)


def _may_mismatch(entry: FieldEntry) -> bool:
    is_sampled = entry.is_key_of_document or (entry.source is not None and entry.source.is_sampled)
    return is_sampled and not entry.plan.dynamic and not entry.is_vector


def check_opened_sample(subject: Subject) -> Iterator[Fault]:
    """Warn of type mismatches in the sample, because other rows will probably have more of them."""
    sampled = dict(_sampled(subject))
    for entry in subject.fixed():
        path = opened_path(entry.plan.source, tuple(sampled)) if _is_ready(entry) else None
        if path is None:
            continue
        key = fixed_key(subject.plan, path, _without_defaults(entry.plan))
        for finding in key.mismatches([find(d, path.parts) for d in sampled[path.column]]):
            if finding.code in _TYPE_FINDINGS:
                yield _type_mismatch_warning(entry, finding, len(sampled[path.column]))
                break


def _is_ready(entry: FieldEntry) -> bool:
    is_typed = entry.spec is not None and written_choice(entry.plan) is not None
    return entry.is_key_of_document and is_typed and bool(entry.plan.target)


def _without_defaults(plan: FieldPlan) -> FieldPlan:
    """Return the plan without replacements for values: only the type of the values themselves is checked."""
    return plan.model_copy(update={"fill_null": None, "default": None, "too_long": "reject"})


def _type_mismatch_warning(entry: FieldEntry, finding: Finding, sampled: int) -> Fault:
    is_kept = entry.plan.misfit == "dynamic"
    result = "Such values stay in the dynamic field" if is_kept else "Such rows are rejected"
    rows = f"The value of “{entry.name}” does not fit in {len(finding.rows):,} of {sampled:,} sampled rows"
    message = f"{rows}. {result}. {finding.reason(int(finding.rows[0]))}"
    hint = "" if is_kept else "Choose another type."
    return entry.fault("type", "sample_misfit", message, hint, severity="warning")


def _sampled(subject: Subject) -> Iterator[tuple[str, list[Members]]]:
    """Yield the opened columns with the documents of their sample."""
    sample = subject.schema.sample
    if sample is None:
        return
    for name in dict.fromkeys(subject.opened):
        source = subject.schema.field(name)
        if source is not None and source.can_open:
            yield name, read_documents(sample.column(name), name)[0]
