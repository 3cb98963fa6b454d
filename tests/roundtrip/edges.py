"""Edge values of many types in one table: helpers that move them and look for them in the target."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import grpc
from psycopg import sql
from pymilvus.grpc_gen import milvus_pb2, milvus_pb2_grpc

from migrations_app.engine.model.types import MilvusType
from tests.integration.postgresql.types.edges import Edge, comparable
from tests.roundtrip.mover import Moved, Mover

TABLE = "edges"
Row = dict[str, Any]


def make_table(mover: Mover, natives: Sequence[str], rows: Sequence[Sequence[str | None]]) -> None:
    """Create ``edges``: a key, a vector, and a column x0, x1 ... of each native type, filled from texts."""
    names = [f"x{number}" for number in range(len(natives))]
    columns = ", ".join(f"{name} {native}" for name, native in zip(names, natives, strict=True))
    casts = sql.SQL(", ").join(sql.SQL(f"%s::text::{native}") for native in natives)
    insert = sql.SQL("INSERT INTO edges VALUES (%s, '[1,2]', {})").format(casts)
    with mover.source.connect() as connection:
        connection.execute("DROP TABLE IF EXISTS edges")
        connection.execute(f"CREATE TABLE edges (n integer PRIMARY KEY, v vector(2), {columns})")
        connection.cursor().executemany(insert, [(number, *row) for number, row in enumerate(rows)])


def move_edges(mover: Mover, edges: Sequence[Edge], *, dynamic: bool = False) -> Moved:
    """Move every value of the edges. Each row holds one value of each edge; an edge with fewer values repeats
    its last one. ``dynamic``: move the values into the dynamic field instead of separate fields.
    """
    height = max(len(edge.values) for edge in edges)
    columns = [list(edge.values) + [list(edge.values)[-1]] * (height - len(edge.values)) for edge in edges]
    make_table(mover, [edge.native for edge in edges], list(zip(*columns, strict=True)))
    return move_table(mover, edges, dynamic=dynamic)


def move_table(mover: Mover, edges: Sequence[Edge], *, dynamic: bool = False) -> Moved:
    """Move the table of ``make_table``, each column as the type of its edge."""
    fields = [_dynamic(f"x{n}", e) if dynamic else _field(f"x{n}", e) for n, e in enumerate(edges)]
    options = {"max_rejected": None}
    return mover.move(f"public.{TABLE}", options, fields=[{"source": "n"}, {"source": "v"}, *fields])


def _dynamic(name: str, edge: Edge) -> Row:
    element = edge.spec.element_type
    kind = {"type": edge.spec.type.value} | ({"element_type": element.value} if element else {})
    return {"source": name, "dynamic": True, **kind}


def _field(name: str, edge: Edge) -> Row:
    spec = edge.spec
    field = {"source": name, "type": spec.type.value, "nullable": False}
    if spec.type is MilvusType.ARRAY and spec.element_type:
        field |= {"element_type": spec.element_type.value, "max_capacity": 4096}
    if MilvusType.VARCHAR in (spec.type, spec.element_type):
        field |= {"max_length": 65_535}
    return field


def assert_all_arrived(moved: Moved, edges: Sequence[Edge]) -> None:
    rejected = [(row["field"], row["code"], row["reason"]) for row in moved.rejected]
    assert not rejected, rejected
    assert moved.report["status"] == "Successful", moved.log
    rows = moved.rows()
    for number, edge in enumerate(edges):
        for row, (text, value) in enumerate(edge.values.items()):
            found, expected = comparable(rows[row][f"x{number}"]), comparable(as_read(edge, value))
            assert found == expected, f"{edge}: {text!r} became {found!r} instead of {expected!r}"


def as_read(edge: Edge, value: Any) -> Any:
    """The value as pymilvus returns it: integers beyond 64 bits become doubles."""
    return json.loads(value, parse_int=as_integer) if edge.spec.type is MilvusType.JSON else value


def as_integer(text: str) -> int | float:
    number = int(text)
    return number if -(2**63) <= number < 2**64 else float(text)


def raw_json(moved: Moved, mover: Mover, field: str, filter_: str) -> list[str]:
    """The texts of a JSON field as the server stores them, before a client parses their numbers."""
    moved.rows()
    with grpc.insecure_channel(mover.uri.removeprefix("http://")) as channel:
        query = milvus_pb2.QueryRequest(
            collection_name=moved.target, expr=filter_, output_fields=[field], consistency_level=0
        )
        answer = milvus_pb2_grpc.MilvusServiceStub(channel).Query(query)
    assert answer.status.error_code == 0, answer.status.reason
    (data,) = (one for one in answer.fields_data if one.field_name == field)
    return [text.decode() for text in data.scalars.json_data.data]
