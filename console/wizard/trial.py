"""Trial: the plan of a draft that moves only the first rows, into collections of its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from console.draft import contents
from migrations_app import endpoints
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Draft
from migrations_app.services.again import own_trials, trial_plan
from migrations_app.services.jobs import target_key


@dataclass(frozen=True, slots=True)
class TrialPlan:
    """The plan to run. If it is a trial, ``real`` holds the settings of each collection that it replaced, and
    ``replaced`` the names of earlier trials that are dropped first."""

    plan: Plan
    real: list[dict[str, str]] = field(default_factory=list)
    replaced: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        return [collection.target or "" for collection in self.plan.collections]


def planned(draft: Draft, plan: Plan) -> TrialPlan:
    """Return the plan to run, with the names of a trial as far as known without asking the target."""
    facts = contents.target_facts(draft)
    return _planned(draft, plan, facts.taken if facts else ())


def asked(draft: Draft, plan: Plan) -> TrialPlan:
    """Return the plan to run. If it is a trial, the target is asked which names are taken."""
    if plan.options.limit_rows is None:
        return TrialPlan(plan)
    connection = draft.target_connection
    with (
        endpoints.open_target(connection.kind, connection.settings, contents.database(draft)) as target,
        endpoints.looking(target),
    ):
        taken = target.collections()
    return _planned(draft, plan, taken)


def _planned(draft: Draft, plan: Plan, taken: Collection[str]) -> TrialPlan:
    if plan.options.limit_rows is None:
        return TrialPlan(plan)
    connection = draft.target_connection
    with endpoints.open_target(connection.kind, connection.settings, contents.database(draft)) as target:
        own = own_trials(target_key(target), contents.database(draft)) & set(taken)
    trial, real = trial_plan(plan, taken, own)
    replaced = (c.target or "" for c in trial.collections if c.if_exists == "replace")
    return TrialPlan(trial, real, tuple(replaced))
