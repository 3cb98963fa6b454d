"""What a relation declares unique, and which of it gives its rows an order to read them in."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import LiteralString

from migrations_app.engine.sources.postgresql.types.column import NOT_NULL

# An index sorts as its column is sorted and compared where nothing is said: by the column's collation, by the
# type's usual operators, which the session's search_path lets find (an extension's may be out of its sight:
# citext would then be compared as text, and rows passed over). A record has no text that can be compared.
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
    """A row of ``UNIQUE_INDEXES``: ``columns`` in the index's order, and what makes it a key."""

    columns: Sequence[str]
    not_null: bool
    sorts_as_columns: bool


@dataclass(frozen=True, slots=True)
class Keys:
    """``own``: the primary key, else a unique index without NULLs; ``order``: such columns as rows can be
    read in the order of; ``unique``: all sets of columns of which no two rows have the same values. Empty
    where there is none."""

    own: tuple[str, ...] = ()
    order: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()


def keys_of(indexes: Sequence[UniqueIndex], readable: Collection[str]) -> Keys:
    """The keys among unique indexes, the primary key's first, of which the user may read all columns."""
    known = [index for index in indexes if set(readable).issuperset(index.columns)]
    keys = [index for index in known if index.not_null]
    return Keys(
        own=next((tuple(index.columns) for index in keys), ()),
        order=next((tuple(index.columns) for index in keys if index.sorts_as_columns), ()),
        unique=tuple(dict.fromkeys(tuple(index.columns) for index in known)),
    )
