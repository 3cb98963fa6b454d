"""Keys: the unique indexes of a relation, and the one whose order is used to read the rows."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import LiteralString

from migrations_app.engine.sources.postgresql.types.column import NOT_NULL

# True if the index sorts in the same way as ORDER BY and comparisons on the column: with the column's
# collation and the default operators of its type. The operators must be visible in the session's search_path:
# those of an extension may not be, and then citext is compared as text and the read skips rows. A record has
# no text form that can be compared.
_SORTS_AS_THE_COLUMN: LiteralString = """
    i.indcollation[(u.place - 1)::int] = a.attcollation AND EXISTS (
        SELECT FROM pg_catalog.pg_opclass c
            JOIN pg_catalog.pg_opclass d ON d.opcfamily = c.opcfamily AND d.opcdefault
            JOIN pg_catalog.pg_amop o ON o.amopfamily = c.opcfamily AND o.amopstrategy = 5
                AND o.amoplefttype = d.opcintype AND o.amoprighttype = d.opcintype
        WHERE c.oid = i.indclass[(u.place - 1)::int] AND c.opcintype <> 'record'::regtype
            AND pg_catalog.pg_operator_is_visible(o.amopopr))"""

UNIQUE_INDEXES: LiteralString = (
    """
    SELECT k.columns, k.not_null, k.sorts_as_columns FROM pg_catalog.pg_index i
        JOIN pg_catalog.pg_class ic ON ic.oid = i.indexrelid
        JOIN pg_catalog.pg_am m ON m.oid = ic.relam AND m.amname = 'btree'
        CROSS JOIN LATERAL (
            SELECT array_agg(a.attname::text ORDER BY u.place) AS columns, bool_and("""
    + NOT_NULL
    + ") AS not_null, bool_and("
    + _SORTS_AS_THE_COLUMN
    + """) AS sorts_as_columns
            FROM unnest(i.indkey) WITH ORDINALITY u (number, place)
            JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.number
            WHERE u.place <= i.indnkeyatts) k
    WHERE i.indrelid = %s AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
    ORDER BY i.indisprimary DESC, i.indnkeyatts, i.indexrelid"""
)


@dataclass(frozen=True, slots=True)
class UniqueIndex:
    """A row of ``UNIQUE_INDEXES``: the columns in the order of the index, and the conditions for a key."""

    columns: Sequence[str]
    not_null: bool
    sorts_as_columns: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """The keys of a relation. ``own`` is the primary key, or else a unique index without NULLs. ``order`` is
    such a key whose order can be used to read the rows. ``unique`` are all sets of columns in which no two
    rows have the same values. Each is empty if there is none."""

    own: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()


def keys_of(indexes: Sequence[UniqueIndex], readable: Collection[str]) -> Keys:
    """Return the keys among ``indexes`` (that of the primary key first). Uses only indexes of which the user
    may read all columns."""
    usable = [index for index in indexes if set(readable).issuperset(index.columns)]
    keys = [index for index in usable if index.not_null]
    return Keys(
        own=next((tuple(index.columns) for index in keys), ()),
        order=next((tuple(index.columns) for index in keys if index.sorts_as_columns), ()),
        unique=tuple(dict.fromkeys(tuple(index.columns) for index in usable)),
    )
