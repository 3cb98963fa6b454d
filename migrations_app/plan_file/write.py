"""Writing a plan as a plan file, without secrets."""

from __future__ import annotations

from typing import Any

import yaml

from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.models import Job
from migrations_app.plan_file.variables import VARIABLE

_UNESCAPED = {("source", "settings"), ("target", "settings")}


def dump_yaml(plan: dict[str, Any]) -> str:
    """Return a plan as the text of a plan file, with the keys in the order of the documentation.

    Settings are written as they were read. Everywhere else ``${NAME}`` is part of a name, and is escaped.
    """
    text: str = yaml.safe_dump(_escaped(plan), sort_keys=False, allow_unicode=True, width=120)
    return text


def _escaped(value: Any, at: tuple[str, ...] = ()) -> Any:
    if isinstance(value, dict):
        return {k: v if (*at, k) in _UNESCAPED else _escaped(v, (*at, k)) for k, v in value.items()}
    if isinstance(value, list):
        return [_escaped(item, (*at, "")) for item in value]
    return VARIABLE.sub(r"$\g<0>", value) if isinstance(value, str) else value


def job_data(job: Job) -> dict[str, Any]:
    """The plan of a job, with its collections as the prepare stage completed them. Contains no secrets."""
    plan: dict[str, Any] = job.plan
    completed = {row.position: _short(row.completed) for row in job.collections.all()}
    collections = [completed.get(number) or given for number, given in enumerate(plan["collections"])]
    return {**plan, "collections": collections}


def _short(plan: CollectionPlan) -> dict[str, Any]:
    """A collection's plan without the values that equal their defaults."""
    data = plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    # The default of an exact copy is the description of the source.
    return data if plan.exact is None else data | {"description": plan.description}


def job_yaml(job: Job) -> str:
    """The plan of a job as a plan file that can run again on an empty target."""
    return dump_yaml(job_data(job))
