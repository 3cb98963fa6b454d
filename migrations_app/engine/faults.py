"""Fault: one problem that a check finds in a plan, and the fixes that take one click."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

MOST_TYPED = 5


def quoted(lines: str) -> str:
    """Return the lines to write in a plan file as a part of a sentence."""
    return " and ".join(f"“{line}”" for line in lines.split("\n"))


@dataclass(frozen=True, slots=True)
class Fix:
    """A fix that takes one click: it sets ``option`` of the fault's field to ``value`` (form texts), and the
    options in ``also`` to theirs."""

    label: str
    option: str
    value: str
    also: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem in a plan.

    ``path`` is its place in the plan (``collections[0].fields[2].max_length``). ``collection`` and ``field``
    are the source names it belongs to, empty if it concerns the whole plan or collection. ``typed`` are the
    lines of a plan file that fix it, one text for each way. A plan with only warnings is accepted, but some
    rows may be rejected.
    """

    code: str
    message: str
    hint: str = ""
    path: str = ""
    collection: str = ""
    field: str = ""
    option: str = ""
    fixes: tuple[Fix, ...] = ()
    severity: Literal["error", "warning"] = "error"
    typed: tuple[str, ...] = ()

    def under(self, prefix: str) -> Fault:
        """The same fault with its path below ``prefix``."""
        joined = (
            f"{prefix}.{self.path}" if self.path and not self.path.startswith("[") else prefix + self.path
        )
        return replace(self, path=joined)

    @property
    def advice(self) -> str:
        """The hint (or the label of the first fix if there is none), and what to write in a plan file, unless
        the hint ends with it."""
        said = self.hint or (f"{self.fixes[0].label}." if self.fixes else "")
        if said.endswith(self.typed):
            return said
        lines = " or ".join(quoted(lines) for lines in self.typed[:MOST_TYPED] if lines not in said)
        return f"{said} In the plan file, write {lines}.".strip() if lines else said

    @property
    def note(self) -> str:
        """The message and the advice, for a line of a log or a list of notes."""
        return f"{self.message} {self.advice}".strip()

    def as_dict(self) -> dict[str, Any]:
        fixes = [{"label": fix.label, "option": fix.option, "value": fix.value} for fix in self.fixes]
        return {
            "code": self.code,
            "message": self.message,
            "hint": self.advice,
            "path": self.path,
            "field": self.field,
            "fixes": fixes,
        }
