"""Markdown to HTML: headings get anchors, and links between the documents become links between pages.

HTML inside a document is shown as text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from django.utils.safestring import SafeString, mark_safe
from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": False}).enable("table")
_NOT_IN_ANCHOR = re.compile(r"[^\w\- ]")
LISTED_LEVELS = {"h2": 2, "h3": 3}

# A link or the address of a picture in a document -> its address in the console
Resolve = Callable[[str], str]


@dataclass(frozen=True, slots=True)
class Heading:
    """A heading in the table of contents."""

    level: int
    text: str
    anchor: str


@dataclass(frozen=True, slots=True)
class Document:
    """A rendered document. Its title is not part of ``html``."""

    title: str
    html: SafeString
    headings: tuple[Heading, ...]


def render(text: str, resolve: Resolve) -> Document:
    tokens = _PARSER.parse(text)
    title, body = _without_title(tokens)
    headings = tuple(_anchored(body))
    for token in _links(body):
        name = "href" if token.type == "link_open" else "src"
        token.attrSet(name, resolve(str(token.attrGet(name))))
    html = _PARSER.renderer.render(body, _PARSER.options, {})
    # A wide table scrolls by itself; the page does not.
    html = html.replace("<table>", '<div class="scroll" tabindex="0"><table class="list">')
    html = html.replace("</table>", "</table></div>")
    return Document(title, mark_safe(html), headings)


def anchor_of(heading: str) -> str:
    """Return the anchor of a heading, by the same rule as GitHub."""
    return _NOT_IN_ANCHOR.sub("", heading.lower()).replace(" ", "-")


def _without_title(tokens: list[Token]) -> tuple[str, list[Token]]:
    """Return the text of the heading that the document begins with, and the tokens after it."""
    if tokens and tokens[0].tag == "h1":
        return _plain(tokens[1]), tokens[3:]
    return "", tokens


def _anchored(tokens: list[Token]) -> Iterator[Heading]:
    """Give each heading its anchor; yield those of the table of contents."""
    used: dict[str, int] = {}
    for token, inline in pairwise(tokens):
        if token.type != "heading_open":
            continue
        text = _plain(inline)
        anchor = anchor_of(text)
        used[anchor] = used.get(anchor, -1) + 1
        if used[anchor]:
            anchor = f"{anchor}-{used[anchor]}"
        token.attrSet("id", anchor)
        if token.tag in LISTED_LEVELS:
            yield Heading(LISTED_LEVELS[token.tag], text, anchor)


def _plain(inline: Token) -> str:
    """Return the text of a heading without its markup."""
    return "".join(part.content for part in inline.children or ())


def _links(tokens: list[Token]) -> Iterator[Token]:
    for token in tokens:
        for part in token.children or ():
            if part.type in ("link_open", "image"):
                yield part
