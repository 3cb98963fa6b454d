"""Rules for full-text search: a text field, an analyzer of the target, and a free name for the output."""

from __future__ import annotations

from collections.abc import Iterator

from migrations_app.engine.faults import Fault
from migrations_app.engine.log import use_one_of
from migrations_app.engine.model.plan import FullTextPlan
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.planning.target_names import field_name_problem
from migrations_app.engine.preflight.subject import Subject


def check_full_text(subject: Subject) -> Iterator[Fault]:
    if subject.plan.full_text and not subject.capabilities.full_text:
        message = f"Full-text search {subject.capabilities.missing('full_text')}."
        yield subject.fault("full_text", "full_text_unavailable", message, "Leave it out.")
        return
    for number, wanted in enumerate(subject.plan.full_text):
        path = f"full_text[{number}]"
        yield from _check_field(subject, path, wanted)
        yield from _check_output(subject, path, number)
        yield from _check_analyzer(subject, path, wanted)


def _check_field(subject: Subject, path: str, wanted: FullTextPlan) -> Iterator[Fault]:
    entry = subject.named(wanted.field)
    earlier = [f.field for f in subject.plan.full_text[: subject.plan.full_text.index(wanted)]]
    if entry is None or entry.spec is None:
        message = f"The target has no field “{wanted.field}” for full-text search."
        yield subject.fault(
            f"{path}.field", "full_text_field_unknown", message, "Choose a field of the target."
        )
    elif entry.spec.type is not MilvusType.VARCHAR:
        message = f"“{wanted.field}” is {entry.spec.type}, but full-text search needs VARCHAR."
        yield subject.fault(f"{path}.field", "full_text_field_type", message, "Choose a VARCHAR field.")
    elif wanted.field in earlier:
        message = f"The plan lists “{wanted.field}” twice in full_text."
        yield subject.fault(f"{path}.field", "full_text_twice", message, "Remove one of them.")
    elif entry.plan.nullable and not subject.capabilities.full_text_null:
        message = (
            f"“{wanted.field}” is nullable, and full-text search of a nullable field "
            f"{_missing_null(subject)}."
        )
        yield entry.fault("nullable", "full_text_nullable", message, "Turn nullable off, or set fill_null.")


def _missing_null(subject: Subject) -> str:
    return subject.capabilities.missing("full_text_null")


def _check_output(subject: Subject, path: str, number: int) -> Iterator[Fault]:
    name = subject.plan.full_text[number].output
    taken = {entry.plan.target for entry in subject.fixed()}
    taken |= {field.name for field in subject.copied_outputs}
    taken |= {earlier.output for earlier in subject.plan.full_text[:number]}
    if subject.plan.makes_key:
        taken.add(subject.plan.key_name)
    problem = field_name_problem(name, subject.capabilities)
    if problem:
        yield subject.fault(f"{path}.output", problem.code, problem.message, problem.hint)
    elif name in taken:
        message = f"Two fields are called “{name}”."
        yield subject.fault(
            f"{path}.output", "name_duplicate", message, "Choose another name for the output."
        )


def _check_analyzer(subject: Subject, path: str, wanted: FullTextPlan) -> Iterator[Fault]:
    copied = subject.copied.fields if subject.copied is not None else ()
    if any(field.name == wanted.field and field.analyzer == wanted.analyzer for field in copied):
        return  # the rule for exact copies checks it
    if not is_analyzer_known(subject, wanted.analyzer):
        message = f"{subject.capabilities} has no analyzer “{wanted.analyzer}”."
        hint = use_one_of(subject.capabilities.analyzers)
        yield subject.fault(f"{path}.analyzer", "analyzer_unknown", message, hint)


def is_analyzer_known(subject: Subject, analyzer: str) -> bool:
    """True if the target has the analyzer. A collection that exists, here or in the source, may have one with
    parameters of its own."""
    exists = subject.plan.if_exists == "append" or subject.copied is not None
    return analyzer in subject.capabilities.analyzers or (exists and analyzer.startswith("{"))
