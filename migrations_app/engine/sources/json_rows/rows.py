"""Rows: a page of documents as a record batch and rejected rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa

from migrations_app.engine.model.batch import Rejected
from migrations_app.engine.model.json.documents import MISSING, TooDeep
from migrations_app.engine.model.json.row import document_excerpt, text_excerpt
from migrations_app.engine.model.json.values import shown
from migrations_app.engine.model.types import MilvusType, arrow_type
from migrations_app.engine.sources.json_rows.converted import TOO_DEEP, Converted, Problem
from migrations_app.engine.sources.json_rows.documents import Documents, JsonColumn, rounded_rows
from migrations_app.engine.sources.json_rows.json_texts import json_texts
from migrations_app.engine.sources.json_rows.scalars import arrays, scalars
from migrations_app.engine.sources.json_rows.sparse import sparse
from migrations_app.engine.sources.json_rows.vectors import dense

T = MilvusType
Mask = npt.NDArray[np.bool_]
Problems = dict[int, tuple[str, Problem]]
"""The first problem of each row that has one, with the name of its field."""

# Only in these values can a decoder have rounded an integer.
_MAY_ROUND: set[type] = {float, list}


@dataclass(frozen=True, slots=True)
class JsonRows:
    """The rows of a page: each document is either in ``rows`` or in ``rejected``, in the order of the page.

    ``locators`` (``string``) name the rows. ``missing`` has a mask over ``rows`` for each column that a
    document lacks; a key that is null is not missing.
    """

    rows: pa.RecordBatch
    locators: pa.Array
    rejected: tuple[Rejected, ...] = ()
    missing: Mapping[str, Mask] = field(default_factory=dict)


def rows_of_texts(columns: Sequence[JsonColumn], texts: Sequence[bytes], locators: Sequence[str]) -> JsonRows:
    """Convert documents that are known as texts: lines of a file, or a page cut into documents.

    A text that is not a JSON object is a rejected row, also if only one number or text in it cannot be read
    (``1e400``, one half of a surrogate pair). JSON columns contain the document's own text; where keys are
    left out (``JsonColumn.without``), the members that stay keep their text.
    """
    problems: Problems = {}
    try:
        values = list(map(orjson.loads, texts))
    except orjson.JSONDecodeError:
        values = [_read(text, row, problems) for row, text in enumerate(texts)]
    return _converted(columns, Documents(values, texts), locators, problems)


def rows_of_documents(
    columns: Sequence[JsonColumn],
    documents: Sequence[Any],
    locators: Sequence[str],
    exact: Callable[[], Sequence[Any]] | None = None,
) -> JsonRows:
    """Convert decoded documents, for example those in a server's answer.

    ``exact`` returns the same documents as ``read_exactly`` reads them. It is called at most once, and only
    if an integer may have been rounded. Without it, numbers are taken as they are.
    """
    return _converted(columns, Documents(documents, exact=exact), locators, {})


def _read(text: bytes, row: int, problems: Problems) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        problems[row] = "", Problem("json_invalid", f"cannot be read as JSON: {error}")
        return None


def _converted(
    columns: Sequence[JsonColumn], page: Documents, locators: Sequence[str], problems: Problems
) -> JsonRows:
    """``problems`` are those of documents that cannot be read."""
    _add_other_values(page, problems)
    numbers = [row for row in range(len(page.values)) if row not in problems]
    objects = page.only(numbers) if problems else page
    values: list[pa.Array] = []
    missing: dict[str, Mask] = {}
    for column in columns:
        name = column.read.path
        converted, mask = _column(objects, column)
        values.append(converted.values)
        if mask is not None:
            missing[name] = mask
        for row, problem in converted.problems.items():
            problems.setdefault(numbers[row], (name, problem))
    schema = pa.schema([(column.read.path, arrow_type(column.read.spec)) for column in columns])
    batch = pa.RecordBatch.from_arrays(values, schema=schema)
    names = pa.array([locators[row] for row in numbers], pa.string())
    if problems:
        fits = np.array([row not in problems for row in numbers], bool)
        batch, names = batch.filter(pa.array(fits)), names.filter(pa.array(fits))
        missing = {name: mask[fits] for name, mask in missing.items()}
    rejected = tuple(_rejected(page, row, locators[row], *problems[row]) for row in sorted(problems))
    return JsonRows(batch, names, rejected, missing)


def _add_other_values(page: Documents, problems: Problems) -> None:
    """Add a problem for each document that is not an object."""
    if set(map(type, page.values)) <= {dict}:
        return
    for row, value in enumerate(page.values):
        if type(value) is not dict:
            sentence = f"is {shown(value)}, which is not a JSON object"
            problems.setdefault(row, ("", Problem("json_not_object", sentence)))


def _rejected(page: Documents, row: int, locator: str, name: str, problem: Problem) -> Rejected:
    subject = f"“{name}”" if name else "The document"
    text = document_excerpt(page.best_known(row)) if page.texts is None else text_excerpt(page.texts[row])
    return Rejected(locator, name, problem.code, f"{subject} {problem.sentence}.", text)


def _column(documents: Documents, column: JsonColumn) -> tuple[Converted, Mask | None]:
    """Return a column, and a mask of the documents that lack it (None if all have it)."""
    values, spec = documents.at(column.place), column.read.spec
    kinds = set(map(type, values))
    mask = None
    if type(MISSING) in kinds:
        mask = np.array([value is MISSING for value in values], bool)
        values = [None if value is MISSING else value for value in values]
    if spec.type is T.JSON:
        return json_texts(documents, column), mask
    if spec.type is T.SPARSE_FLOAT_VECTOR:
        return sparse(values), mask
    if spec.type.is_vector:
        return dense(values, spec), mask
    unread: dict[int, Problem] = {}
    if kinds & _MAY_ROUND:
        values, unread = _with_exact_integers(documents, values, column)
    converted = arrays(values, spec) if spec.type is T.ARRAY else scalars(values, spec)
    return Converted(converted.values, {**converted.problems, **unread}), mask


def _with_exact_integers(
    documents: Documents, values: Sequence[Any], column: JsonColumn
) -> tuple[Sequence[Any], dict[int, Problem]]:
    """Return the values with the integers exact that orjson rounded, and the problems of documents that
    Python cannot read."""
    exact, problems = list(values), {}
    for row in rounded_rows(values):
        try:
            exact[row] = documents.exact_at(row, column.place)
        except TooDeep:
            exact[row], problems[row] = None, TOO_DEEP
    return exact, problems
