"""Convert: turns values of JSON documents into a column of a field's type, exactly or not at all."""

from __future__ import annotations

from collections.abc import Sequence, Set
from itertools import chain
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from migrations_app.engine.mapping.checks.findings import Finding, finding_of
from migrations_app.engine.model.json.documents import plain, to_json
from migrations_app.engine.model.json.values import EXACT_KINDS, TypeMismatch, fit, shown
from migrations_app.engine.model.limits import FLOAT32_END
from migrations_app.engine.model.types import MilvusType, TypeSpec, arrow_type

T = MilvusType


def convert_values(values: Sequence[Any], spec: TypeSpec, name: str) -> tuple[pa.Array, tuple[Finding, ...]]:
    """Return a column of ``arrow_type(spec)``. Type mismatches are NULL in it and are in the findings.

    ``values`` come from ``documents.find``; None is NULL.
    """
    wanted = arrow_type(spec)
    if spec.type is T.JSON:
        texts = [None if value is None else to_json(value) for value in values]
        return pa.array(texts, pa.binary()).cast(wanted), ()
    bare, kinds = values, set(map(type, values))
    if not kinds <= _PLAIN:
        bare = [plain(value) for value in values]
        kinds = set(map(type, bare))
    if spec.type is T.FLOAT and kinds <= {float, type(None)}:
        doubles = pa.array(bare, pa.float64())
        if (pc.max(pc.abs(doubles)).as_py() or 0.0) < FLOAT32_END:
            return doubles.cast(wanted), ()
    if _are_all(bare, kinds - {type(None)}, spec):
        try:
            return pa.array(bare, wanted), ()
        except (pa.ArrowInvalid, OverflowError):
            pass  # _one_by_one finds the values that do not fit
    return _one_by_one(values, spec, name)


# Values of these types contain no number as its text.
_PLAIN = frozenset({type(None), bool, int, float, str})


def _are_all(values: Sequence[Any], kinds: Set[type], spec: TypeSpec) -> bool:
    if spec.type is not T.ARRAY:
        return kinds <= EXACT_KINDS.get(spec.type, frozenset())
    if not kinds <= {list} or spec.element_type is None:
        return False
    items = chain.from_iterable(value for value in values if value is not None)
    return set(map(type, items)) <= EXACT_KINDS.get(spec.element_type, frozenset())


def _one_by_one(values: Sequence[Any], spec: TypeSpec, name: str) -> tuple[pa.Array, tuple[Finding, ...]]:
    """Convert each value separately. This is slow, so it is done only if a value may not fit."""
    fitting: list[Any] = []
    reasons: dict[int, str] = {}
    for row, value in enumerate(values):
        try:
            fitting.append(None if value is None else fit(plain(value), spec))
        except TypeMismatch as mismatch:
            fitting.append(None)
            reasons[row] = f"“{name}” is {shown(value)}, which {mismatch}."
    column = pa.array(fitting, arrow_type(spec))
    if not reasons:
        return column, ()
    return column, (finding_of(reasons, "misfit", name),)
