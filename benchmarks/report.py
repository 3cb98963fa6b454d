"""Tables on the screen, and the same figures as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

Cell = str | int | float | None

RESULTS = Path(__file__).parent / "results"
FIRST_WIDTH, SECOND_WIDTH, WIDTH = 14, 26, 13


@dataclass
class Table:
    """Shown line by line as the figures come. The first two columns are words."""

    name: str
    title: str
    headings: tuple[str, ...]
    lines: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        print(f"\n{self.title}\n\n{_line(self.headings)}", flush=True)

    def add(self, *cells: Cell, **more: object) -> None:
        """A line; ``more`` goes into the JSON alone."""
        print(_line([_text(cell) for cell in cells]), flush=True)
        self.lines.append(dict(zip(self.headings, cells, strict=True)) | more)

    def write(self) -> None:
        figures = {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": f"{platform.machine()}, Python {platform.python_version()}",
            "title": self.title,
            "lines": self.lines,
        }
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{self.name}.json"
        path.write_text(json.dumps(figures, indent=2) + "\n")
        print(f"\nAll figures: {path}")


def _text(cell: Cell) -> str:
    if cell is None:
        return "–"
    return cell if isinstance(cell, str) else f"{cell:,.2f}" if isinstance(cell, float) else f"{cell:,}"


def _line(cells: Sequence[str]) -> str:
    first, second, *others = cells
    numbers = "".join(cell.rjust(WIDTH) for cell in others)
    return f"{first:<{FIRST_WIDTH}}{second:<{SECOND_WIDTH}}{numbers}".rstrip()
