"""Describe: the schema of a relation, with the type choices of its fields, its key and a sample."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pyarrow as pa

from migrations_app.engine.errors import SourceError
from migrations_app.engine.model.batch import ReadColumn
from migrations_app.engine.model.limits import MAX_CAPACITY
from migrations_app.engine.model.source_schema import CollectionSchema, SourceField, SourceKey, TypeChoice
from migrations_app.engine.model.types import MilvusType
from migrations_app.engine.sources.postgresql.catalogue.column_metric import ColumnMetric, column_metric
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.catalogue.row_security import hidden_rows
from migrations_app.engine.sources.postgresql.catalogue.vector_indexes import vector_indexes
from migrations_app.engine.sources.postgresql.connect.read_errors import is_timeout
from migrations_app.engine.sources.postgresql.connect.session import Session
from migrations_app.engine.sources.postgresql.draws import Draws
from migrations_app.engine.sources.postgresql.sample import Lengths, measure_lengths, sample_texts
from migrations_app.engine.sources.postgresql.types import (
    can_be_key,
    choice_of,
    left_out,
    readings_of,
    vector_choice,
)
from migrations_app.engine.sources.postgresql.types.column import PostgresColumn
from migrations_app.engine.sources.postgresql.types.json import DOCUMENTS

Sampler = Callable[[Draws, tuple[ReadColumn, ...]], pa.RecordBatch]
_TOO_SLOW = "No samples are shown: reading the {} took too long."


def describe_relation(session: Session, relation: Relation, sampler: Sampler) -> CollectionSchema:
    """Return the schema of ``relation``. ``sampler`` draws rows with the given columns; if it takes too long,
    the schema has no sample."""
    draws = Draws(relation)
    lengths, notes = measure_lengths(session, relation, draws)
    metrics = _metrics(session, relation)
    fields = tuple(
        _field(column, lengths.get(column.name, Lengths()), metrics.get(column.name, ColumnMetric()))
        for column in relation.columns
    )
    sample = _sample(sampler, draws, fields)
    if sample is None:
        notes = (*notes, _TOO_SLOW.format(relation))
    with session.query(f"the policies of {relation}") as connection:
        hidden = hidden_rows(connection, [relation.oid]).get(relation.oid)
    if hidden:
        notes = (*notes, str(hidden))
    return CollectionSchema(
        name=str(relation.name),
        fields=tuple(_with_samples(field, relation, sample) for field in fields) if sample else fields,
        key=SourceKey(relation.keys.own, not relation.is_parent) if relation.keys.own else None,
        sample=sample,
        rows_estimate=relation.rows_estimate,
        size_bytes=relation.size_bytes,
        notes=(*notes, *_notes(relation)),
        label=relation.name.table,
        group=relation.name.schema,
        unique=() if relation.is_parent else relation.keys.unique,
        hidden_rows=hidden,
    )


def _sample(sampler: Sampler, draws: Draws, fields: tuple[SourceField, ...]) -> pa.RecordBatch | None:
    try:
        return sampler(draws, tuple(ReadColumn(f.name, f.choices[0].spec) for f in fields if f.choices))
    except SourceError as error:
        if not is_timeout(error):
            raise
        return None


def _metrics(session: Session, relation: Relation) -> dict[str, ColumnMetric]:
    """Return the metrics of the vector columns. Bits that are not used as a vector may become one."""
    vectors = [c for c in relation.columns if c.is_vector or c.has_whole_bytes]
    found = vector_indexes(session, relation) if vectors else {}
    return {c.name: column_metric(c, found[c.name], relation.kind) for c in vectors if c.name in found}


def _field(column: PostgresColumn, lengths: Lengths, metric: ColumnMetric) -> SourceField:
    if metric.metric is not None:  # bits with a vector index, maybe in the table below a view, are a vector
        column = replace(column, is_vector=True)
    choices = _choices(column, lengths)
    return SourceField(
        name=column.name,
        native_type=column.native,
        choices=choices,
        left_out="" if any(choice.is_proposed for choice in choices) else left_out(column),
        nullable=not column.not_null,
        can_be_key=can_be_key(column),
        metric=metric.metric,
        metric_note=metric.metric_note,
        index_hint=metric.index_hint,
        longest_bytes=lengths.longest_bytes,
        longest_items=lengths.longest_items,
        description=column.description,
        can_open=bool(choices) and column.family in DOCUMENTS,
    )


def _choices(column: PostgresColumn, lengths: Lengths) -> tuple[TypeChoice, ...]:
    """The type choices of a column. JSON, which can hold every array, comes before ARRAY unless all rows were
    looked at and each of their arrays fits an ARRAY."""
    choices = tuple(choice_of(column, reading) for reading in readings_of(column))
    note = _array_note(lengths)
    if not note or not choices or choices[0].spec.type is not MilvusType.ARRAY:
        return choices
    array, json = (replace(choice, note=f"{note} {choice.note}".strip()) for choice in choices)
    return json, array


def _array_note(lengths: Lengths) -> str:
    rows = "rows" if lengths.is_complete else "sampled rows"
    if lengths.odd_arrays:
        return (
            f"{lengths.odd_arrays:,} of the {rows} have a NULL element or more than one dimension: "
            "as ARRAY they are rejected."
        )
    if (lengths.longest_items or 0) > MAX_CAPACITY:
        return (
            f"The longest array in the {rows} has {lengths.longest_items:,} elements; "
            f"Milvus takes at most {MAX_CAPACITY:,}."
        )
    if not lengths.is_complete:
        return (
            "Not all rows were looked at: as ARRAY, rows with a NULL element or more than one dimension are "
            "rejected."
        )
    return ""


def _with_samples(field: SourceField, relation: Relation, sample: pa.RecordBatch) -> SourceField:
    """Return the field with texts of the sample, and with a vector as a type choice if the sample suits."""
    if not field.choices:
        return field
    values = sample.column(field.name)
    vector = vector_choice(relation.column(field.name), values)
    choices = (*field.choices, vector) if vector is not None else field.choices
    return replace(field, choices=choices, samples=sample_texts(values, field.choices[0].spec.type))


def _notes(relation: Relation) -> Iterator[str]:
    if relation.order:
        return
    if not relation.keys.own:
        yield f"The {relation.kind} has no key: {_without_order(relation)}"
    elif relation.is_parent:
        yield "Other tables inherit from this table, so its key may occur twice."
    else:
        yield (
            f"The rows of the {relation.kind} cannot be read in the order of its key: "
            f"{_without_order(relation)}"
        )


def _without_order(relation: Relation) -> str:
    if relation.kind in ("view", "foreign table"):
        return "an interrupted read starts again from the first row."
    return "rows that are changed while they are read may be missed or come twice."
