"""Connection strings: a URL or key=value pairs, as users copy them from a program that uses the database.

Understood are the URLs of libpq, of JDBC, and of the libraries that put a driver or an extension into the
scheme (``postgresql+asyncpg``, ``postgis``). An error never repeats a part of the text that may belong to the
password. In particular, a password with characters that end it early is refused, not cut.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from urllib.parse import unquote

from migrations_app.engine.pasted_text import unwrapped
from migrations_app.engine.sources.postgresql.connect.parameters import ENCODE, Parameters

SHAPE = "postgresql://user:password@host:port/database"
_SCHEMES = (
    r"postgres|postgresql|postgresql[-_]psycopg2?|postgis|pgsql|psql|pg|pgx5?|timescale(?:db|gis)?|ecto"
)
_URL = re.compile(
    rf"(?P<jdbc>(?:jdbc|r2dbc):(?:pool:)?)?(?P<scheme>{_SCHEMES})"
    r"(?P<driver>\+[a-z0-9_]{1,30})?:(?P<slashes>//)?(?P<rest>.*)",
    re.IGNORECASE | re.DOTALL,
)
# Schemes of other servers. Only these are repeated in a message.
_OTHERS = re.compile(
    r"(?:jdbc:)?(mysql|mariadb|mongodb|redis|rediss|sqlite|sqlite3|sqlserver|mssql|oracle|cockroachdb|prisma"
    r"|prisma\+postgres|http|https|milvus|clickhouse|amqp|libsql|file)(?:\+[a-z0-9_]{1,30})?:",
    re.IGNORECASE,
)
_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_VARIABLE = re.compile(r"\$\{|\$\(|\{\{|%\(")
_PLACEHOLDER = re.compile(r"[\[<{(]?YOUR[-_ ]?(DB[-_ ]?)?PASSWORD[\]>})]?", re.IGNORECASE)
_DOTNET = re.compile(r"^[A-Za-z_][A-Za-z_ ]*=.*;\s*[A-Za-z ]+=", re.DOTALL)
_DOTNET_PAIR = re.compile(
    r"""[\s;]*([^=;]*)=\s*(?:'([^']*)'|"([^"]*)"|((?!['"])[^;]*?))\s*(?:;|$)""", re.DOTALL
)
_PAIR = re.compile(
    r"\s*([A-Za-z_]+)\s*=\s*(?:'((?:[^'\\]|\\.)*)'(?=\s|$)|((?!')(?:[^\s\\]|\\.)*))", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class ConnectionString:
    """The libpq parameters of a connection string, and sentences about what was left out or translated."""

    parameters: dict[str, str] = field(repr=False)
    notices: tuple[str, ...] = ()


@lru_cache(maxsize=64)
def parsed(text: str) -> ConnectionString:
    """Return the parameters of a connection string. Raises ``ValueError`` with a sentence without secrets."""
    text = unwrapped(text)
    if any(ord(character) < 32 and character != "\t" for character in text):
        raise ValueError("there is a line break in it: paste it as one line")
    if _VARIABLE.search(text):
        raise ValueError("it contains a variable such as ${…}: paste the value instead of its name")
    found = _URL.fullmatch(text)
    if found is None and _DOTNET.search(text):
        return _from_dotnet(text)
    if found is None and _PAIR.match(text):
        return _from_pairs(text)
    if found is None or not (found["slashes"] or found["jdbc"]):
        other = _OTHERS.match(text)
        what = f"it is an address for {other[1].lower()}" if other else "it is not a connection string"
        raise ValueError(f"{what}; write {SHAPE}")
    return _from_url(found)


# ---------------------------------------------------------------- URLs


def _from_url(found: re.Match[str]) -> ConnectionString:
    is_jdbc = bool(found["jdbc"])
    # “jdbc:postgresql:shop” is the database on this machine.
    user, tail = _split_user(found["rest"] if found["slashes"] else f"/{found['rest']}")
    if "#" in tail:
        raise ValueError(f"there is a # in it; {ENCODE}")
    place, _, query = tail.partition("?")
    authority, _, path = place.partition("/")
    parameters = Parameters(is_jdbc=is_jdbc)
    if found["driver"]:
        parameters.note(f"“{found['driver']}” in its scheme names a library and is not needed.")
    parameters.update(user | _hosts(authority))
    if path:
        parameters["dbname"] = path = _decoded(path, "the name of the database")
        if not user and "@" in path:
            raise ValueError(f"there is an @ in the name of the database; {ENCODE}")
    is_after_password = False
    for name, value in _query(query):
        parameters.add(name, value, is_nameless=is_after_password)
        is_after_password = is_after_password or name.lower() == "password"
    return ConnectionString(parameters.checked(), parameters.notices())


def _split_user(rest: str) -> tuple[dict[str, str], str]:
    """User and password of a URL, and what comes after them."""
    if rest.count("@") > 1:
        raise ValueError(f"there is more than one @ in it; {ENCODE}")
    before, at, tail = rest.rpartition("@")
    if ends := [character for character in "/?" if character in before]:
        raise ValueError(f"there is a {ends[0]} before the @ in it; {ENCODE}")
    if re.search(r"\s", rest):
        raise ValueError(f"there is a space in it; {ENCODE}")
    if not at:
        return {}, tail
    user, colon, password = before.partition(":")
    named = {"user": _decoded(user, "the user")}
    if colon:
        named["password"] = _decoded(password, "the password")
        if _PLACEHOLDER.fullmatch(named["password"]):
            raise ValueError("it has a placeholder for the password: replace it by the password")
    return named, tail


def _hosts(authority: str) -> dict[str, str]:
    """Hosts and ports of ``host:port,host:port``."""
    hosts, ports = [], []
    for place in authority.split(",") if authority else ():
        found = re.fullmatch(r"(\[[^\]]*\]|[^:\[\]]*)(?::(.*))?", place)
        if found is None:
            raise ValueError(f"its host and port cannot be read; write {SHAPE}")
        host = found[1] if found[1].startswith("[") else _decoded(found[1], "the host")
        hosts.append(host.strip("[]"))
        ports.append(found[2] or "")
    # libpq takes one port for all hosts, or one for each of them.
    named = {"host": ",".join(hosts)} if any(hosts) else {}
    return named | ({"port": ",".join(ports)} if any(ports) else {})


def _query(query: str) -> Iterator[tuple[str, str]]:
    for pair in filter(None, query.split("&")):
        name, equals, value = pair.partition("=")
        if not equals:
            raise ValueError("a parameter after the ? has no value; write name=value")
        yield _decoded(name, "the name of a parameter"), _decoded(value, "the value of a parameter")


def _decoded(text: str, what: str) -> str:
    if _PERCENT.search(text):
        raise ValueError(f"there is a % in {what} that is not followed by two hex digits; {ENCODE}")
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        raise ValueError(f"{what} is percent-encoded, but not as UTF-8") from None
    if "\0" in decoded:
        raise ValueError(f"{what} contains a null character")
    return decoded


# ---------------------------------------------------------------- key=value pairs


def _from_pairs(text: str) -> ConnectionString:
    parameters, end, is_after_password = Parameters(), 0, False
    while text[end:].strip():
        pair = _PAIR.match(text, end)
        if pair is None:
            raise ValueError(
                "a value has a space or a quote in it: put it into single quotes, as in password='a b'"
            )
        name, quoted, plain = pair[1].lower(), pair[2], pair[3]
        value = re.sub(r"\\(.)", r"\1", plain if quoted is None else quoted)
        parameters.add(pair[1], value, is_nameless=is_after_password)
        is_after_password = is_after_password or name in ("password", "pwd")
        end = pair.end()
    return ConnectionString(parameters.checked(), parameters.notices())


def _from_dotnet(text: str) -> ConnectionString:
    """The pairs of .NET: ``Host=db;Username=u;Password=p``."""
    parameters, end, is_after_password = Parameters(), 0, False
    while text[end:].strip():
        pair = _DOTNET_PAIR.match(text, end)
        if pair is None:
            raise ValueError(
                "a part between two semicolons has no value; put a value with a semicolon into quotes"
            )
        value = next(part for part in pair.groups()[1:] if part is not None)
        key = pair[1].strip().lower().replace(" ", "")
        parameters.add(key, value, is_nameless=is_after_password)
        is_after_password = is_after_password or key in ("password", "pwd")
        end = pair.end()
    return ConnectionString(parameters.checked(), parameters.notices())
