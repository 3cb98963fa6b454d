"""Number formats for the pages: counts, sizes, durations. A dash stands for a value that is not known."""

from __future__ import annotations

NOTHING = "–"
_SIZES = ("bytes", "KB", "MB", "GB", "TB")
_UNITS = (("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def number(value: float | None) -> str:
    """``1204000`` -> ``1,204,000``; None -> a dash."""
    return NOTHING if value is None or value == "" else f"{round(value):,}"


def rows(value: int | None, is_exact: bool = True) -> str:
    """``2940112`` -> ``2,940,112``, or ``about 2,940,000`` if it is an estimate."""
    if value is None or value == "" or is_exact:
        return number(value)
    digits = max(0, len(str(value)) - 3)
    return f"about {round(value, -digits):,}"


def size(value: float | None) -> str:
    """Bytes in the largest suitable unit: ``6100000000`` -> ``6.1 GB``."""
    if value is None or value == "":
        return NOTHING
    amount, unit = float(value), 0
    while amount >= 999.5 and unit < len(_SIZES) - 1:
        amount, unit = amount / 1000, unit + 1
    return f"{amount:.1f} {_SIZES[unit]}" if unit and amount < 9.95 else f"{amount:.0f} {_SIZES[unit]}"


def duration(seconds: float | None) -> str:
    """``90`` -> ``1 min 30 s``: at most two units."""
    if seconds is None or seconds == "":
        return NOTHING
    rest, parts = max(0, round(seconds)), []
    for unit, unit_seconds in _UNITS:
        count, rest = divmod(rest, unit_seconds)
        parts.append((count, unit))
    first = next((place for place, (count, _) in enumerate(parts) if count), len(parts) - 1)
    shown = [f"{count} {unit}" for count, unit in parts[first : first + 2] if count]
    return " ".join(shown) or "0 s"


def about(seconds: float | None) -> str:
    """A remaining time as a rough estimate: ``250`` -> ``about 4 min``."""
    if seconds is None or seconds == "":
        return NOTHING
    if seconds < 60:
        return "less than a minute"
    if seconds < 5400:
        return f"about {round(seconds / 60)} min"
    return f"about {round(seconds / 3600)} h" if seconds < 129600 else f"about {round(seconds / 86400)} days"


def short(value: float) -> str:
    """``16340`` -> ``16 k``."""
    for factor, letter in ((1e6, " M"), (1e3, " k")):
        if value >= factor:
            return f"{value / factor:.{1 if value < 10 * factor else 0}f}{letter}"
    return f"{value:.0f}"
