"""Report: tables on the screen, and the same figures as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

Cell = str | int | float | None

RESULTS = Path(__file__).parent / "results"
WIDTHS, WIDTH = (16, 26), 13


@dataclass
class Table:
    """A table that is printed line by line. The first two columns hold words; ``widths`` are their widths."""

    name: str
    title: str
    headings: tuple[str, ...]
    widths: tuple[int, int] = WIDTHS
    lines: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        print(f"\n{self.title}\n")
        self._show(self.headings)

    def add(self, *cells: Cell, **more: object) -> None:
        """Add and print a line; ``more`` goes only into the JSON."""
        self._show([_text(cell) for cell in cells])
        self.lines.append(dict(zip(self.headings, cells, strict=True)) | more)

    def _show(self, cells: Sequence[str]) -> None:
        words = "".join(cell.ljust(width) for cell, width in zip(cells, self.widths, strict=False))
        numbers = "".join(cell.rjust(WIDTH) for cell in cells[len(self.widths) :])
        print(f"{words}{numbers}", flush=True)

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
