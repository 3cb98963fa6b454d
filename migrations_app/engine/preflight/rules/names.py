"""Rules for names: valid, not reserved, not used twice. Each fault has a fix with a valid name."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engine.faults import Fault, Fix
from migrations_app.engine.model.names import NameProblem, free_name, name_problem, suggest
from migrations_app.engine.model.target_schema import META
from migrations_app.engine.planning.target_names import field_name_problem, legal_name
from migrations_app.engine.preflight.subject import FieldEntry, Subject


def check_collection_name(subject: Subject) -> Iterator[Fault]:
    name = subject.plan.target or ""
    problem = name_problem(name, "collection")
    if problem:
        instead = suggest(name or subject.schema.label or subject.schema.name, (), "collection")
        fix = Fix(f"Use {instead}", "target", instead)
        yield subject.fault("collection_target", problem.code, problem.message, problem.hint, fix)


def check_field_names(subject: Subject) -> Iterator[Fault]:
    """Check each field name. All fixes suggest different names, so that all can be applied together."""
    taken = subject.field_names()
    for entry in subject.fixed():
        name = entry.plan.target
        if name is None:  # the source field does not exist, which another rule reports
            continue
        problem = _problem(name, subject)
        if problem:
            instead = legal_name(name or entry.name, taken - {name}, subject.capabilities)
            taken.add(instead)
            fix = Fix(f"Use {instead}", "target", instead)
            yield entry.fault("target", problem.code, problem.message, problem.hint, fix)


def check_duplicate_names(subject: Subject) -> Iterator[Fault]:
    """Report every field whose name an earlier field already has; a generated key counts as the first field.

    Invalid names are left to ``check_field_names``, which suggests different names for them.
    """
    taken = subject.field_names()
    seen = {subject.plan.key_name or ""} if subject.plan.makes_key else set()
    for entry in subject.fixed():
        name = entry.plan.target or ""
        if name in seen and not field_name_problem(name, subject.capabilities):
            instead = free_name(name, taken | seen)
            taken.add(instead)
            message = f"Two fields are called “{name}”."
            fix = Fix(f"Use {instead}", "target", instead)
            yield entry.fault("target", "name_duplicate", message, "Rename one of them.", fix)
        seen.add(name)


def check_key_name(subject: Subject) -> Iterator[Fault]:
    if not subject.plan.makes_key:
        return
    name = subject.plan.key_name or ""
    problem = _problem(name, subject)
    if problem:
        instead = legal_name(name or "id", subject.field_names() - {name}, subject.capabilities)
        fix = Fix(f"Use {instead}", "key_name", instead)
        yield subject.fault("key_name", problem.code, problem.message, problem.hint, fix)


def check_dynamic_names(subject: Subject) -> Iterator[Fault]:
    """Check the keys of the dynamic field: any text except the name of a field, which would hide the key."""
    fixed = subject.field_names()
    seen: set[str] = set()
    dynamic = [(entry, name) for entry in subject.entries() if (name := _key_in_meta(entry)) is not None]
    names = {name for _, name in dynamic}
    for entry, name in dynamic:
        if name == META or not name:
            message, code = (f"“{name}” cannot be a key of the dynamic field.", "dynamic_name_illegal")
        elif name in subject.capabilities.hidden_keys:
            message = f"{subject.capabilities} hides a dynamic field key that is called “{name}”."
            code = "dynamic_name_illegal"
        elif name in fixed:
            message, code = (f"A field of the collection is also called “{name}”.", "dynamic_name_taken")
        elif name in seen:
            message, code = (f"Two keys of the dynamic field are called “{name}”.", "name_duplicate")
        else:
            seen.add(name)
            continue
        instead = free_name("meta" if name == META else name or "value", names | fixed)
        names.add(instead)
        fix = Fix(f"Use {instead}", "as", instead)
        yield entry.fault("as", code, message, "Store it under another name.", fix)


def _problem(name: str, subject: Subject) -> NameProblem | None:
    # Names in an exact copy exist in a Milvus already, even if its filters cannot use them (“like”).
    if subject.copied is not None and name not in subject.capabilities.reserved_names:
        return None
    return field_name_problem(name, subject.capabilities)


def _key_in_meta(entry: FieldEntry) -> str | None:
    """Return the key of the dynamic field for the values of an entry, or for its type mismatches."""
    if (entry.plan.as_ is not None or entry.plan.dynamic) and not entry.plan.added:
        return entry.plan.as_ or entry.plan.source or ""
    return None
