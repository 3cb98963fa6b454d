"""Pasted text: what people paste from a ``.env`` file, a shell or a provider's page into a field.

A connection string may contain a password. Nothing of it is shown, stored in plain text or logged before it
is known what its parts are.
"""

from __future__ import annotations

import re

# “export DATABASE_URL=”, “DATABASE_URL: ”, “"url": ”, “psql ”, before quotes or the connection string itself.
_ASSIGNED = re.compile(
    r"""(?:-\s+|(?:export|set|setx)\s+|\$env:)?["']?[A-Za-z_][\w.-]*["']?(?:\s*=\s*|:\s+)"""
    r"""(?=["'`“”]|[\w+:]+://|jdbc:|(?:host|server|user ?id|username|database|driver|dbname)\s*=)""",
    re.IGNORECASE,
)
_COMMAND = re.compile(r"(?:psql|pgcli|pg_dump)\s+(?:-d\s*)?(?=[\"'`]|\w+://)")
_QUOTES = {'"': '"', "'": "'", "`": "`", "“": "”", "‘": "’", "<": ">"}
# With an @ or a & in it, it may be part of a password.
_COMMENT = re.compile(r"\s+#[^@&]*$")
_ENDS_WITH_PASSWORD = re.compile(r"[?&](?:password|pwd)=[^&]*$", re.IGNORECASE)
# A password in a URL; in “user:password@host” without a scheme; in key=value pairs.
_PASSWORDS = re.compile(
    r"://[^\s@:/]*:[^@]+@|(?<![\w/])[^\s:@/]+:(?!//)[^\s@]+@[\w.\[-]|\b(?:password|passwd|pwd)\s*=\s*\S",
    re.IGNORECASE,
)


def unwrapped(text: str) -> str:
    """Return a pasted value without the name of its variable, its quotes, a comment after it, and spaces."""
    text = text.strip()
    text = text[found.end() :] if (found := _ASSIGNED.match(text)) else text
    text = text[found.end() :] if (found := _COMMAND.match(text)) else text
    closing = _QUOTES.get(text[:1])
    end = text.find(closing, 1) if closing else -1
    if end > 0 and re.fullmatch(r"\s*[;,]?(\s*#.*)?", text[end + 1 :]):
        return text[1:end].strip()
    if "://" in text and not _ENDS_WITH_PASSWORD.search(text):
        text = _COMMENT.sub("", text).rstrip(";,")
    return text.strip()


def shown(text: str) -> str:
    """Return ``text`` in quotes for a message, or a description of it if it may contain a password."""
    return "this text (a connection string)" if holds_password(text) else f"“{text}”"


def holds_password(text: str) -> bool:
    """True if ``text`` looks like a connection string, or part of one, that contains a password. The text of
    a certificate may have mail addresses in it (``email:me@example.com``), but no password."""
    return "-----BEGIN CERTIFICATE" not in text and bool(_PASSWORDS.search(text))
