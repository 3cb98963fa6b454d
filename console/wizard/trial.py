"""Trial: the plan of a draft that moves only the first rows, into collections of its own."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from console.draft import contents
from migrations_app import endpoints
from migrations_app.engine.model.plan import Plan
from migrations_app.models import Draft
from migrations_app.services.again import own_trials, trial_plan
from migrations_app.services.jobs import target_key
from migrations_app.services.written_target import is_another


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
    facts, connection = contents.target_facts(draft), draft.target_connection
    if plan.options.limit_rows is None:
        return TrialPlan(plan)
    with endpoints.open_target(connection.kind, connection.settings, contents.database(draft)) as target:
        own = own_trials(target_key(target), contents.database(draft))
    return _planned(plan, facts.taken if facts else (), own)


def asked(draft: Draft, plan: Plan) -> TrialPlan:
    """Return the plan to run. If it is a trial, the target is asked which names are taken."""
    if plan.options.limit_rows is None:
        return TrialPlan(plan)
    connection = draft.target_connection
    with (
        endpoints.open_target(connection.kind, connection.settings, contents.database(draft)) as target,
        endpoints.looking(target),
    ):
        taken, own = target.collections(), own_trials(target_key(target), contents.database(draft))
        while True:
            found = _planned(plan, taken, own)
            others = [name for name in found.replaced if is_another(target, name, own[name])]
            if not others:
                return found
            own = {name: identity for name, identity in own.items() if name not in others}


def _planned(plan: Plan, taken: Collection[str], own: Mapping[str, str]) -> TrialPlan:
    trial, real = trial_plan(plan, taken, own.keys() & set(taken))
    replaced = (c.target or "" for c in trial.collections if c.if_exists == "replace")
    return TrialPlan(trial, real, tuple(replaced))
