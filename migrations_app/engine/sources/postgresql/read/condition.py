"""Condition: the boolean SQL expression of a selection, over the columns of one table.

It is put in parentheses into a statement that runs in a read-only transaction. To make sure that it cannot
leave the parentheses, its text is split into tokens as PostgreSQL does with standard_conforming_strings on,
which each transaction sets (PostgreSQL's documentation, "Lexical Structure"). The server checks everything
else.
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
from migrations_app.engine.sources.postgresql.connect.driver_messages import failure_of
from migrations_app.engine.sources.postgresql.connect.session import Session

MAX_CHARACTERS = 10_000
PATH = "select.where"

# An E'…' may continue after a line break. There, too, a backslash is an escape.
_ESCAPED = r"'(?:[^'\\]|\\.|'')*+'"
_CONTINUATION = r"[ \t\f\v]*[\n\r]\s*"
_TOKEN = re.compile(
    rf"""(?P<text>[eE]{_ESCAPED}(?:{_CONTINUATION}{_ESCAPED})*+(?!{_CONTINUATION}')|'(?:[^']|'')*+')
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
    ";": "a semicolon: write one expression, not a statement",
    "'": _UNCLOSED,
    '"': "a double quote that is not closed",
    "$": "a parameter or a dollar sign: write the value itself",
    "\0": "a NUL character",
}


def refusal_of(condition: str) -> str:
    """Return the reason why ``condition`` cannot be one expression, or an empty text if it can."""
    if len(condition) > MAX_CHARACTERS:
        return f"is longer than {MAX_CHARACTERS:,} characters"
    tokens = [(match.lastgroup or "", match[0]) for match in _TOKEN.finditer(condition)]
    return next(_forbidden(tokens), "") or _unbalanced(tokens)


def _forbidden(tokens: list[tuple[str, str]]) -> Iterator[str]:
    for number, (kind, token) in enumerate(tokens):
        word = token.lower() if kind == "word" else ""
        if kind == "comment":
            yield f"contains a comment ({token})"
        elif kind == "unclosed":
            yield f"contains {_UNCLOSED}"
        elif kind == "other" and token in _STRAY:
            yield f"contains {_STRAY[token]}"
        elif word in ("select", "table") or (word == "values" and _next_token(tokens, number) == "("):
            yield f"contains a query ({word.upper()}): use only the columns of this table"


def _next_token(tokens: list[tuple[str, str]], number: int) -> str:
    return next((token for _, token in tokens[number + 1 :] if not token.isspace()), "")


def _unbalanced(tokens: list[tuple[str, str]]) -> str:
    unclosed: list[str] = []
    for kind, token in tokens:
        if kind != "other":
            continue
        if token in _PAIRS.values():
            unclosed.append(token)
        elif token in _PAIRS and (not unclosed or unclosed.pop() != _PAIRS[token]):
            return f"closes a parenthesis that is not open: “{token}”"
    return f"leaves a parenthesis open: “{unclosed[-1]}”" if unclosed else ""


# ---------------------------------------------------------------- check by the server

# The planner merges a subquery in FROM into the outer query, so that its alias disappears from the plan,
# unless one of its columns is volatile (PostgreSQL's is_simple_subquery). So the condition is volatile if the
# plan contains this alias.
_ALIAS = "vectorferry_chosen"
_NAMED_COLUMNS = 12  # of a table, in a message
# The SQLSTATE classes of errors in the condition: feature not supported, data (a division by zero found in
# planning), syntax or access rights, limits.
_CONDITION_ERRORS = ("0A", "22", "42", "54")
_ROWS = sql.SQL("EXPLAIN (FORMAT JSON) SELECT FROM {rows}")
_IS_VOLATILE = sql.SQL(
    "EXPLAIN (FORMAT JSON) SELECT FROM (SELECT (({condition})::boolean) AS chosen FROM {table} AS t)"
    " AS {alias} WHERE chosen"
)


def check_condition(session: Session, relation: Relation) -> Relation:
    """Return ``relation`` with the planner's estimate of the rows that its condition selects. Executes
    nothing.

    Raises ``SourceError`` with the server's message if the condition is not valid for its columns, and if it
    is volatile: each read would select other rows.
    """
    if relation.condition is None:
        return relation
    volatile = _IS_VOLATILE.format(
        condition=relation.condition, table=relation.name.identifier, alias=sql.Identifier(_ALIAS)
    )
    with session.query(str(relation)) as connection, _condition_errors(relation):
        (rows,) = connection.execute(_ROWS.format(rows=relation.rows)).fetchall()
        (plan,) = connection.execute(volatile).fetchall()
    if _ALIAS in _aliases(plan[0][0]["Plan"]):
        raise SourceError(
            f"The condition “{relation.where}” may give a different result each time: it calls a volatile "
            "function, such as random() or clock_timestamp().",
            "Write a condition that depends only on the columns.",
            code="where_volatile",
            path=PATH,
        )
    return replace(relation, tuples=int(rows[0][0]["Plan"]["Plan Rows"]))


@contextmanager
def _condition_errors(relation: Relation) -> Iterator[None]:
    """Convert the server's errors in the condition to faults of the plan. Other errors, such as a lost
    connection, pass through."""
    try:
        yield
    except psycopg.Error as error:
        failure = failure_of(error)
        if not failure.sqlstate.startswith(_CONDITION_ERRORS):
            raise
        names = [_quoted(column.name) for column in relation.columns if column.readable]
        more = f" and {len(names) - _NAMED_COLUMNS:,} more" if len(names) > _NAMED_COLUMNS else ""
        raise SourceError(
            f"PostgreSQL does not accept “{relation.where}” as a condition on {relation}: {failure.message}.",
            f"Write one boolean expression over its columns: {', '.join(names[:_NAMED_COLUMNS])}{more}.",
            code="where_invalid",
            path=PATH,
        ) from None


def _aliases(plan: dict[str, Any]) -> Iterator[str]:
    yield plan.get("Alias", "")
    for part in plan.get("Plans", ()):
        yield from _aliases(part)


def _quoted(column: str) -> str:
    """Return a column name for an expression: in double quotes if PostgreSQL requires them."""
    return column if re.fullmatch(r"[a-z_][a-z0-9_]*", column) else sql.Identifier(column).as_string()
