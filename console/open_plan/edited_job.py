"""Edit as new: the plan of an ended job, and the place of what failed in it, for a new draft."""

from __future__ import annotations

import re
from typing import Any

from django.db.models import Count

from console.html_anchors import added_anchor, anchor
from migrations_app import plan_file
from migrations_app.engine.model.plan import FieldPlan, Plan
from migrations_app.models import Job, LogEntry

PATH = re.compile(r"^path: collections\[(\d+)\](?:\.fields\[(\d+)\])?", re.MULTILINE)


def plan_of(job: Job) -> dict[str, Any]:
    """Return the plan of the job with its completed collections; of a trial, with the names of the full
    migration and all rows. Without secrets."""
    plan = plan_file.job_data(job)
    if not job.is_trial:
        return plan
    collections = [{**c, **real} for c, real in zip(plan["collections"], job.trial_targets, strict=True)]
    return {**plan, "collections": collections, "options": {**plan.get("options", {}), "limit_rows": None}}


def place_of(job: Job) -> tuple[str, str]:
    """Return the source name of the collection and the anchor of the field at fault; empty if unknown."""
    if not job.error:
        return "", ""
    return _place_of_fault(job) or _place_of_rejected(job) or ("", "")


def _place_of_fault(job: Job) -> tuple[str, str] | None:
    """The place of the first fault in the run log that has a path."""
    for details in job.log.filter(level=LogEntry.Level.ERROR).values_list("details", flat=True):
        if (found := PATH.search(details)) is None:
            continue
        collection = Plan.model_validate(job.plan).collections[int(found[1])]
        fields = collection.fields or []
        field = fields[int(found[2])] if found[2] and int(found[2]) < len(fields) else None
        return collection.source, _anchor(field, fields)
    return None


def _place_of_rejected(job: Job) -> tuple[str, str] | None:
    """The field for which most rows were rejected."""
    groups = job.rejected_rows.exclude(field="").values("slice__collection", "field")
    most = groups.annotate(rows=Count("pk")).order_by("-rows").first()
    if most is None:
        return None
    row = job.collections.get(pk=most["slice__collection"])
    fields = row.completed.fields or []
    field = next((f for f in fields if most["field"] in (f.target, f.source, f.as_)), None)
    return row.source, _anchor(field, fields)


def _anchor(field: FieldPlan | None, fields: list[FieldPlan]) -> str:
    if field is None:
        return ""
    if field.added:
        return added_anchor([other for other in fields if other.added].index(field))
    return anchor(field.source) if field.source else ""
