"""Run again, and *Move everything now* after a trial: the page that says what the new job will meet."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from console.jobs.wording import kind_title
from migrations_app import endpoints
from migrations_app.engine.errors import DatabaseMissing, FerryError
from migrations_app.engine.preflight.scans.existing import rows_in
from migrations_app.models import Job
from migrations_app.reporting.report import written_by
from migrations_app.services.again import again_plan, refuse_again

CHOICES = {
    "append": "Add the rows to it",
    "replace": "Drop it with all its rows, and create it again. This cannot be undone.",
}


@dataclass(frozen=True, slots=True)
class Met:
    """A collection of the plan, and what its name is in the target: ``rows`` describes it if it exists."""

    place: int
    source: str
    target: str
    rows: str
    choice: str

    @property
    def control(self) -> str:
        return f"exists-{self.place}"

    @property
    def is_open(self) -> bool:
        """True if the user has to choose what happens to the existing collection."""
        return bool(self.rows) and self.choice not in CHOICES


@dataclass(frozen=True, slots=True)
class AgainPage:
    """What the new job will meet. ``error``: it cannot be made, or the target could not be asked."""

    job: Job
    all_rows: bool
    collections: tuple[Met, ...] = ()
    error: FerryError | None = None
    once: str = ""
    is_sent: bool = False

    @property
    def is_ready(self) -> bool:
        return self.error is None and not any(met.is_open for met in self.collections)

    @property
    def if_exists(self) -> dict[int, str]:
        return {met.place: met.choice for met in self.collections if met.rows}

    def context(self) -> dict[str, Any]:
        """Return the context of ``jobs/again.html``."""
        trials = [row["name"] for row in written_by(self.job) if row["is_created"]] if self.all_rows else []
        return {
            "job": {
                "public_id": self.job.public_id,
                "source_title": kind_title(self.job.kind),
                "source_name": self.job.source_name,
                "target_name": self.job.target_name,
                "database": self.job.database,
            },
            "all_rows": self.all_rows,
            "limit_rows": None if self.all_rows else self.job.options.limit_rows,
            "collections": [
                {
                    "source_name": met.source,
                    "target_name": met.target,
                    "rows": met.rows,
                    "control": met.control,
                    "is_missing": self.is_sent and met.is_open,
                    "choices": [
                        {"value": value, "label": label, "chosen": met.choice == value}
                        for value, label in CHOICES.items()
                    ],
                }
                for met in self.collections
            ],
            "trials": trials,
            "error": self.error and self.error.as_dict(),
            "once": self.once,
        }


def open_page(job: Job, *, all_rows: bool, data: Mapping[str, str] | None = None) -> AgainPage:
    """Ask the target which collections exist, and return the page with the choices that were sent."""
    once = (data or {}).get("once") or f"{job.public_id}-{uuid.uuid4().hex}"
    try:
        refuse_again(job)
        collections = tuple(_met(job, all_rows, data))
    except FerryError as error:
        return AgainPage(job, all_rows, error=error, once=once)
    return AgainPage(job, all_rows, collections, once=once[:100], is_sent=data is not None)


def _met(job: Job, all_rows: bool, data: Mapping[str, str] | None) -> list[Met]:
    plan = again_plan(job, all_rows=all_rows)
    # A plan file may leave the target names out: the job knows them.
    names = dict(job.collections.values_list("position", "target"))
    targets = [c.target or names.get(place) or "" for place, c in enumerate(plan.collections)]
    existing = _existing(job, targets)
    proposed = "replace" if job.is_trial and not all_rows else ""
    return [
        Met(
            place,
            collection.source,
            targets[place],
            existing.get(targets[place], ""),
            proposed or collection.if_exists if data is None else data.get(f"exists-{place}", ""),
        )
        for place, collection in enumerate(plan.collections)
    ]


def _existing(job: Job, names: list[str]) -> dict[str, str]:
    """Return a text about each of these collections that exists in the target."""
    with endpoints.job_target(job) as target, endpoints.looking(target):
        try:
            taken = target.collections()
        except DatabaseMissing:
            return {}
        return {name: str(rows_in(target, name)) for name in names if name in taken}


def with_error(page: AgainPage, error: FerryError) -> AgainPage:
    return replace(page, error=error)
