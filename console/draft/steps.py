"""The four steps of a migration: their order, their titles, and whether one may be entered. No HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Step(IntEnum):
    """A step by its number. ``url_name`` is the page that shows it."""

    CONNECT = 1
    SELECT = 2
    SCHEMA = 3
    MIGRATE = 4

    @property
    def title(self) -> str:
        return TITLES[self]

    @property
    def url_name(self) -> str:
        return f"wizard_{self.name.lower()}"

    @property
    def template(self) -> str:
        return "schema/page.html" if self is Step.SCHEMA else f"wizard/{self.name.lower()}.html"


TITLES = {
    Step.CONNECT: "Connect to Data Source",
    Step.SELECT: "Select Source and Target",
    Step.SCHEMA: "Configure Schema",
    Step.MIGRATE: "Migrate",
}


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a draft has come: the facts that open the steps."""

    has_source: bool = False
    has_target: bool = False
    collections: int = 0
    described: int = 0
    problems: int = 0

    @property
    def furthest(self) -> Step:
        """The last step that may be entered; every one before it may be, too."""
        if not self.has_source:
            return Step.CONNECT
        if not (self.has_target and self.collections):
            return Step.SELECT
        if self.described < self.collections or self.problems:
            return Step.SCHEMA
        return Step.MIGRATE

    def may_enter(self, step: Step) -> bool:
        return step <= self.furthest


@dataclass(frozen=True, slots=True)
class Mark:
    """A step as the stepper shows it: ``state`` is "done", "current" or "todo"."""

    step: Step
    state: str
    may_enter: bool

    @property
    def number(self) -> int:
        return int(self.step)

    @property
    def title(self) -> str:
        return self.step.title


def marks(current: Step, progress: Progress) -> list[Mark]:
    """All steps, seen from ``current``."""
    return [Mark(step, _state(step, current, progress), progress.may_enter(step)) for step in Step]


def _state(step: Step, current: Step, progress: Progress) -> str:
    if step is current:
        return "current"
    return "done" if step < progress.furthest else "todo"
