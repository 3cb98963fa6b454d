"""Leaf tables: the tables that store the rows of a relation, and where each begins and ends on disk."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from migrations_app.engine.errors import BoundsLost
from migrations_app.engine.sources.postgresql.catalogue.names import TableName
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.connect.session import Session

# A table itself, the leaf partitions of a partitioned table, and the tables that inherit from a table.
# The rows of a leaf can be read in the order in which they are stored only if it is an ordinary heap, and
# only directly, so the user needs the privileges on the leaf itself; those on single columns do not include
# the places (``ctid``). If the leaf has row-level security of its own, a direct read would return other rows.
_LEAVES: LiteralString = """
    WITH RECURSIVE tree (oid) AS (
        SELECT %s::oid
        UNION
        SELECT h.inhrelid FROM pg_catalog.pg_inherits h JOIN tree ON h.inhparent = tree.oid)
    SELECT s.nspname AS schema, c.relname AS name,
        pg_catalog.pg_relation_filenode(c.oid)::bigint AS filenode,
        COALESCE(pg_catalog.pg_relation_size(c.oid)
            / pg_catalog.current_setting('block_size')::bigint, 0)::bigint AS blocks,
        COALESCE(m.amname = 'heap', false) AND NOT pg_catalog.row_security_active(c.oid)
            AND pg_catalog.has_schema_privilege(s.oid, 'USAGE')
            AND pg_catalog.has_table_privilege(c.oid, 'SELECT') AS can_read_in_place
    FROM tree JOIN pg_catalog.pg_class c ON c.oid = tree.oid
        JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
        LEFT JOIN pg_catalog.pg_am m ON m.oid = c.relam
    WHERE c.relkind IN ('r', 'm', 'f')
    ORDER BY s.nspname, c.relname"""

_FILENODE: LiteralString = """
    SELECT pg_catalog.pg_relation_filenode(c.oid)::bigint AS filenode FROM pg_catalog.pg_class c
        JOIN pg_catalog.pg_namespace s ON s.oid = c.relnamespace
    WHERE s.nspname = %s AND c.relname = %s"""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A table that stores rows. ``filenode`` names its file: it changes when the table is rewritten.

    ``can_read_in_place``: its rows can be read by their places (``ctid``), and a direct read returns the same
    rows as a read of the whole relation.
    """

    name: TableName
    filenode: int | None
    blocks: int
    can_read_in_place: bool


def leaves_of(session: Session, relation: Relation) -> tuple[Leaf, ...]:
    """Return the leaf tables of ``relation``; none for a view."""
    with session.query(str(relation)) as connection:
        rows = connection.execute(_LEAVES, (relation.oid,)).fetchall()
    return tuple(
        Leaf(TableName(row.schema, row.name), row.filenode, row.blocks, row.can_read_in_place) for row in rows
    )


def check_filenode(session: Session, leaf: Sequence[str], filenode: int) -> None:
    """Raise ``BoundsLost`` if the table was rewritten or dropped since its filenode was stored.

    Call it also while a read holds its lock on the table: until that read ends, the table is not rewritten.
    """
    name = TableName(*leaf)
    with session.query(f"table {name}") as connection:
        row = connection.execute(_FILENODE, name).fetchone()
    if row is None:
        raise BoundsLost(
            f"Table {name} was dropped or renamed while its rows were read.",
            "Start the migration again when its partitions no longer change.",
        )
    if row.filenode != filenode:
        raise BoundsLost(
            f"Table {name} was rewritten while it was read (VACUUM FULL, CLUSTER, TRUNCATE, REFRESH or ALTER "
            "TABLE): its rows have new places.",
            "Start the migration again when the table is no longer rewritten.",
        )
