"""The condition of a selection: one boolean SQL expression over a table's columns, and nothing else.

It is put between two parentheses of a statement, in a read-only transaction. So that it stays between them,
its text is taken apart as PostgreSQL's own scanner does with standard_conforming_strings on, which each
transaction sets (PostgreSQL's documentation, "Lexical Structure"); what it means is the server's to judge.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import psycopg
from psycopg import sql

from migrations_app.engine.errors import SourceError
from migrations_app.engine.sources.postgresql.catalogue.relation import Relation
from migrations_app.engine.sources.postgresql.connect.failures import failure_of
from migrations_app.engine.sources.postgresql.connect.session import Session

MAX_CHARACTERS = 10_000
PATH = "select.where"

# An E'…' may go on after a line break, and backslashes escape there, too.
_ESCAPED = r"'(?:[^'\\]|\\.|'')*+'"
_GOES_ON = r"[ \t\f\v]*[\n\r]\s*"
_TOKEN = re.compile(
    rf"""(?P<text>[eE]{_ESCAPED}(?:{_GOES_ON}{_ESCAPED})*+(?!{_GOES_ON}')|'(?:[^']|'')*+')
    |(?P<unclosed>[eE]')
    |(?P<name>"(?:[^"]|"")*+")
    |(?P<dollars>\$(?P<tag>(?:[A-Za-z_\x80-\U0010ffff][\w\x80-\U0010ffff]*)?)\$.*?\$(?P=tag)\$)
    |(?P<word>[A-Za-z_\x80-\U0010ffff][\w$\x80-\U0010ffff]*)
    |(?P<comment>--|/\*)
    |(?P<other>.)""",
    re.DOTALL | re.VERBOSE | re.ASCII,
)
_UNCLOSED = "a quote that is not closed"
_PAIRS = {")": "(", "]": "["}
_STRAY = {
    ";": "a semicolon: it is one expression, not a statement",
    "'": _UNCLOSED,
    '"': "a double quote that is not closed",
    "$": "a parameter or a dollar sign: write the value itself",
    "\0": "a NUL character",
}


def refusal_of(condition: str) -> str:
    """Why ``condition`` cannot be one expression, as it is written; empty where it may be."""
    if len(condition) > MAX_CHARACTERS:
        return f"is longer than {MAX_CHARACTERS:,} characters"
    tokens = [(found.lastgroup or "", found[0]) for found in _TOKEN.finditer(condition)]
    return next(_unfit(tokens), "") or _unbalanced(tokens)


def _unfit(tokens: list[tuple[str, str]]) -> Iterator[str]:
    for number, (kind, token) in enumerate(tokens):
        word = token.lower() if kind == "word" else ""
        if kind == "comment":
            yield f"holds a comment ({token})"
        elif kind == "unclosed":
            yield f"holds {_UNCLOSED}"
        elif kind == "other" and token in _STRAY:
            yield f"holds {_STRAY[token]}"
        elif word in ("select", "table") or (word == "values" and _next_sign(tokens, number) == "("):
            yield f"holds a query of its own ({word.upper()}): it may speak of this table's columns alone"


def _next_sign(tokens: list[tuple[str, str]], number: int) -> str:
    return next((token for _, token in tokens[number + 1 :] if not token.isspace()), "")


def _unbalanced(tokens: list[tuple[str, str]]) -> str:
    open_ones: list[str] = []
    for kind, token in tokens:
        if kind != "other":
            continue
        if token in _PAIRS.values():
            open_ones.append(token)
        elif token in _PAIRS and (not open_ones or open_ones.pop() != _PAIRS[token]):
            return f"closes a parenthesis that is not open: “{token}”"
    return f"leaves a parenthesis open: “{open_ones[-1]}”" if open_ones else ""


# ---------------------------------------------------------------- what the server says

# A query in FROM is merged into the one around it, and so gone from the plan, unless a column of it is
# volatile (PostgreSQL's is_simple_subquery): its own way to say that two looks may differ.
_ALIAS = "vectorferry_chosen"
# Classes of SQLSTATE: not supported, data (a division by zero found in planning), right, syntax, limits.
_ABOUT_IT = ("0A", "22", "42", "54")
_ROWS = sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {rows}")
_IS_VOLATILE = sql.SQL(
    "EXPLAIN (FORMAT JSON) SELECT FROM (SELECT (({condition})::boolean) AS chosen FROM {table} AS t)"
    " AS {alias} WHERE chosen"
)


def checked(session: Session, relation: Relation) -> Relation:
    """``relation``, with its planner's guess of the rows that its condition chooses. Nothing is executed.

    Raises ``SourceError`` with the server's own words where it is no condition over its columns, and where
    it is volatile: each read would choose other rows.
    """
    if relation.condition is None:
        return relation
    volatile = _IS_VOLATILE.format(
        condition=relation.condition, table=relation.name.identifier, alias=sql.Identifier(_ALIAS)
    )
    with session.look(str(relation)) as connection, _judging(relation):
        (rows,) = connection.execute(_ROWS.format(rows=relation.rows)).fetchall()
        (plan,) = connection.execute(volatile).fetchall()
    if _ALIAS in _aliases(plan[0][0]["Plan"]):
        raise SourceError(
            f"The condition “{relation.where}” gives another answer each time it is asked: it calls a "
            "volatile function, such as random() or clock_timestamp().",
            "Write one that depends on the columns alone.",
            code="where_volatile",
            path=PATH,
        )
    return replace(relation, tuples=int(rows[0][0]["Plan"]["Plan Rows"]))


@contextmanager
def _judging(relation: Relation) -> Iterator[None]:
    """What the server has against the expression is a fault of the plan; that it is away is not."""
    try:
        yield
    except psycopg.Error as error:
        said = failure_of(error)
        if not said.sqlstate.startswith(_ABOUT_IT):
            raise
        names = ", ".join(_as_written(column.name) for column in relation.columns if column.readable)
        raise SourceError(
            f"PostgreSQL does not take “{relation.where}” as a condition on {relation}: {said.message}.",
            f"Write one boolean expression over its columns: {names}.",
            code="where_invalid",
            path=PATH,
        ) from None


def _aliases(plan: dict[str, Any]) -> Iterator[str]:
    yield plan.get("Alias", "")
    for part in plan.get("Plans", ()):
        yield from _aliases(part)


def _as_written(column: str) -> str:
    """A column as an expression names it: in double quotes where PostgreSQL would read it otherwise."""
    return column if re.fullmatch(r"[a-z_][a-z0-9_]*", column) else sql.Identifier(column).as_string()
