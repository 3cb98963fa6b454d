"""Plan of a draft: the plan that its job gets, with the options."""

from __future__ import annotations

from console.draft import contents
from migrations_app.engine.model.plan import Options, Plan
from migrations_app.engine.sources.registry import source_class
from migrations_app.models import Draft


def plan_of(draft: Draft) -> Plan:
    """Return the plan of the draft."""

    def parse() -> Plan:
        options = options_of(draft).model_dump()
        return Plan.model_validate(draft.plan | contents.plan_head(draft) | {"options": options})

    raw = (draft.plan, draft.source_connection, draft.target_connection)
    return contents.decoded(draft, "plan", raw, parse)


def options_of(draft: Draft) -> Options:
    defaults = {"create_index": source_class(draft.kind).indexes_by_default}
    options = draft.plan.get("options", {})
    return contents.decoded(
        draft, "options", (draft.plan,), lambda: Options.model_validate(defaults | options)
    )
