"""Steps of the wizard: their order, their titles, and the conditions to enter them. No HTTP."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum


class Step(IntEnum):
    """A step and its number. ``url_name`` is the URL name of its page."""

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
    """The progress of a draft: the facts that decide which steps may be entered."""

    has_source: bool = False
    has_target: bool = False
    collections: int = 0
    described: int = 0
    problems: int = 0

    @property
    def furthest(self) -> Step:
        """Return the last step that may be entered; all steps before it may be entered too."""
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
    """A step in the stepper. ``state`` is "done", "current" or "todo"."""

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
    """Return the marks of all steps for the page of ``current``."""
    return [Mark(step, _state(step, current, progress), progress.may_enter(step)) for step in Step]


def _state(step: Step, current: Step, progress: Progress) -> str:
    if step is current:
        return "current"
    return "done" if step < progress.furthest else "todo"
