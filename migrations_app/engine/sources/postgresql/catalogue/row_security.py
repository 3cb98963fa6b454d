"""Row-level security: the tables below a relation whose policies hide rows from whoever reads them.

A view reads its tables as its owner, and with ``security_invoker`` as the user of the connection. A
materialized view holds what its owner saw when it was refreshed. So the policies that count may be those for
another role than the user of the connection.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import LiteralString

import psycopg

from migrations_app.engine.model.source_schema import HiddenRows

# Each relation below the given ones, with the role that reads it (``subject``) and the role that is the user
# there (``invoker``). ``is_stored``: it was read when a materialized view was refreshed.
_READ: LiteralString = """
    WITH RECURSIVE below (root, oid, subject, invoker, is_stored, is_view) AS (
        SELECT o, o, me.oid, me.oid, false, false
        FROM unnest(%s::oid[]) o, pg_catalog.pg_roles me WHERE me.rolname = current_user
        UNION
        SELECT below.root, d.refobjid, role.subject, role.invoker, below.is_stored OR v.relkind = 'm', true
        FROM below
            JOIN pg_catalog.pg_class v ON v.oid = below.oid AND v.relkind IN ('v', 'm')
            JOIN pg_catalog.pg_rewrite w ON w.ev_class = v.oid AND w.rulename = '_RETURN'
            JOIN pg_catalog.pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> v.oid
            CROSS JOIN LATERAL (SELECT COALESCE(bool_or(x.option_value::boolean), false) AS is_invoker
                FROM pg_catalog.pg_options_to_table(v.reloptions) x
                WHERE x.option_name = 'security_invoker') option
            CROSS JOIN LATERAL (SELECT
                CASE WHEN v.relkind = 'v' AND option.is_invoker THEN below.invoker
                    ELSE v.relowner END AS subject,
                CASE WHEN v.relkind = 'm' THEN v.relowner ELSE below.invoker END AS invoker) role)
    SELECT below.root::bigint AS root, n.nspname::text || '.' || t.relname::text AS name,
        pg_catalog.format('%%I.%%I', n.nspname, t.relname) AS identifier, role.rolname::text AS role,
        pg_catalog.quote_ident(current_user) AS reader, role.rolname = current_user AS is_reader,
        bool_or(below.is_stored) AS is_stored, bool_or(below.is_view) AS is_view,
        policies.permissive IS NULL OR 'false' = ANY(COALESCE(policies.restrictive, '{}')) AS hides_all,
        policies.restrictive IS NOT NULL AS is_restricted
    FROM below
        JOIN pg_catalog.pg_class t ON t.oid = below.oid AND t.relkind IN ('r', 'p') AND t.relrowsecurity
        JOIN pg_catalog.pg_namespace n ON n.oid = t.relnamespace
        JOIN pg_catalog.pg_roles role ON role.oid = below.subject
        CROSS JOIN LATERAL (
            SELECT array_agg(p.shown) FILTER (WHERE p.polpermissive AND p.shown <> 'false') AS permissive,
                array_agg(p.shown) FILTER (WHERE NOT p.polpermissive AND p.shown <> 'true') AS restrictive
            FROM (SELECT polpermissive, pg_catalog.pg_get_expr(polqual, polrelid) AS shown
                FROM pg_catalog.pg_policy
                WHERE polrelid = t.oid AND polcmd IN ('r', '*') AND EXISTS (SELECT FROM unnest(polroles) r
                    WHERE r = 0 OR pg_catalog.pg_has_role(role.oid, r, 'USAGE'))) p) policies
    WHERE NOT role.rolsuper AND NOT role.rolbypassrls
        AND (t.relforcerowsecurity OR NOT pg_catalog.pg_has_role(role.oid, t.relowner, 'USAGE'))
        AND NOT ('true' = ANY(COALESCE(policies.permissive, '{}')) AND policies.restrictive IS NULL)
    GROUP BY 1, 2, 3, 4, 6, 9, 10
    ORDER BY 1, 2, 4"""
_MOST = 3


@dataclass(frozen=True, slots=True)
class ProtectedTable:
    """A table whose policies hide rows from ``role``. ``hides_all``: no policy shows it a row.

    ``is_reader``: the role is the user of the connection, ``reader``. ``is_view``: a view reads the table.
    ``is_restricted``: a restrictive policy applies, so another policy alone shows no more rows.
    """

    root: int
    name: str
    identifier: str
    role: str
    reader: str
    is_reader: bool
    is_stored: bool
    is_view: bool
    hides_all: bool
    is_restricted: bool


def hidden_rows(
    connection: psycopg.Connection[tuple[object, ...]], oids: Iterable[int]
) -> dict[int, HiddenRows]:
    """Return why rows of these relations may be hidden, by oid. A relation that shows all its rows is left
    out."""
    tables: dict[int, list[ProtectedTable]] = {}
    for row in connection.execute(_READ, (list(oids),)):
        table = ProtectedTable(**row._asdict())  # type: ignore[attr-defined]
        tables.setdefault(table.root, []).append(table)
    return {oid: _why(found) for oid, found in tables.items()}


def _why(tables: list[ProtectedTable]) -> HiddenRows:
    first = tables[0]
    alike = [t for t in tables if (t.role, t.is_stored) == (first.role, first.is_stored)]
    names = ", ".join(f"“{table.name}”" for table in alike[:_MOST])
    more = f" and {len(alike) - _MOST} more" if len(alike) > _MOST else ""
    hides = "hides all rows" if first.hides_all else "may hide rows"
    who = (
        f"user “{first.role}”" if first.is_reader else f"“{first.role}”, the owner of the view that reads it"
    )
    rule = f"Row-level security of {names}{more} {hides} from {who}"
    if first.hides_all:
        rule += ", because no policy lets this role read"
    if first.is_stored:
        return HiddenRows(
            f"The materialized view may lack rows: it holds what “{first.role}”, its owner, saw when it was "
            f"refreshed. {rule}.",
            "To move all rows, move the tables instead, or ask the administrator for a materialized view "
            "whose owner has BYPASSRLS.",
        )
    shows = "" if first.hides_all else ": only the rows that its policies show are moved"
    return HiddenRows(f"{rule}{shows}.", _advice(first, alike))


def _advice(first: ProtectedTable, tables: list[ProtectedTable]) -> str:
    """What to ask the administrator for. It never opens the tables to a role that others use."""
    bypass = f"ALTER ROLE {first.reader} BYPASSRLS"
    if not first.is_reader:
        return (
            "To move all rows, ask the administrator for a view that reads as the user of the connection "
            f"(CREATE VIEW … WITH (security_invoker = true)), and to run: {bypass}"
        )
    ask = f"To move all rows, ask the administrator to run: {bypass}"
    if any(table.is_restricted for table in tables):
        return ask
    policies = (
        f"CREATE POLICY vectorferry ON {table.identifier} FOR SELECT TO {first.reader} USING (true)"
        for table in tables[:_MOST]
    )
    return f"{ask} – or, for these tables only: {'; '.join(policies)}"
