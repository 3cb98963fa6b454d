"""Demo data set: the documentation in Python's standard library, which every machine has.

The source files are parsed, never imported, so none of their code runs.
"""

import ast
import doctest
import sys
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any

# Not part of the library itself: tests, demonstrations and installed packages.
LEFT_OUT = {"__pycache__", "idlelib", "idle_test", "lib2to3", "site-packages", "test", "tests", "turtledemo"}
UNDOCUMENTED_LINES = 12

Definition = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class DocKind(StrEnum):
    MODULE = "module"
    CLASS = "class"
    FUNCTION = "function"
    METHOD = "method"


@dataclass(frozen=True)
class Doc:
    """One module, class, function or method."""

    module: str
    name: str
    kind: DocKind
    signature: str | None
    text: str
    tags: list[str]
    meta: dict[str, Any]
    changed_on: date


@dataclass(frozen=True)
class Example:
    """One example from a docstring: what is typed and what Python answers."""

    module: str
    line: int
    typed: str
    answer: str | None


@dataclass
class Library:
    docs: list[Doc] = field(default_factory=list)
    examples: list[Example] = field(default_factory=list)
    lines_by_module: dict[str, int] = field(default_factory=dict)


def read_library(root: Path | None = None) -> Library:
    """Read everything under `root`, by default the folder of this Python's standard library. Takes a few
    seconds.
    """
    folder = root or Path(sysconfig.get_path("stdlib"))
    library = Library()
    for path in sorted(_sources(folder)):
        _read_module(library, path, folder)
    return library


def _sources(root: Path) -> Iterator[Path]:
    for path in root.rglob("*.py"):
        parts = path.relative_to(root).parts
        first = parts[0].removesuffix(".py")
        if first in sys.stdlib_module_names and not LEFT_OUT & set(parts):
            yield path


def _read_module(library: Library, path: Path, root: Path) -> None:
    source = path.read_bytes().decode("utf-8", errors="replace")
    module = ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
    page = _Page(module, source.splitlines(), datetime.fromtimestamp(path.stat().st_mtime, UTC).date())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about invalid escapes in the library's strings
        tree = ast.parse(source)
    library.lines_by_module[module] = len(page.lines)
    for definition, name, kind in _definitions(tree, module):
        library.docs.append(_doc(page, definition, name, kind))
        library.examples.extend(_examples(page, definition))


@dataclass(frozen=True)
class _Page:
    module: str
    lines: list[str]
    changed_on: date


def _definitions(tree: ast.Module, module: str) -> Iterator[tuple[Definition, str, DocKind]]:
    yield tree, module, DocKind.MODULE
    stack: list[tuple[Definition, str]] = [(tree, module)]
    while stack:
        parent, prefix = stack.pop(0)
        for child in parent.body:
            if isinstance(child, ast.ClassDef):
                yield child, f"{prefix}.{child.name}", DocKind.CLASS
                stack.append((child, f"{prefix}.{child.name}"))
            elif isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                kind = DocKind.METHOD if isinstance(parent, ast.ClassDef) else DocKind.FUNCTION
                yield child, f"{prefix}.{child.name}", kind


def _doc(page: _Page, definition: Definition, name: str, kind: DocKind) -> Doc:
    documented = ast.get_docstring(definition)
    return Doc(
        module=page.module,
        name=name,
        kind=kind,
        signature=_signature(definition),
        text=_storable(documented or _first_lines(page, definition)),
        tags=sorted(_tags(definition, name, documented)),
        meta={
            "line": getattr(definition, "lineno", 1),
            "decorators": [ast.unparse(item) for item in getattr(definition, "decorator_list", [])],
            "bases": [ast.unparse(item) for item in getattr(definition, "bases", [])],
            "documented": documented is not None,
        },
        changed_on=page.changed_on,
    )


def _signature(definition: Definition) -> str | None:
    """Return the signature as it is written; None for a module or a class."""
    if isinstance(definition, ast.Module | ast.ClassDef):
        return None
    returns = f" -> {ast.unparse(definition.returns)}" if definition.returns else ""
    return f"{definition.name}({ast.unparse(definition.args)}){returns}"


def _first_lines(page: _Page, definition: Definition) -> str:
    start = getattr(definition, "lineno", 1) - 1
    end = min(getattr(definition, "end_lineno", len(page.lines)), start + UNDOCUMENTED_LINES)
    return "\n".join(page.lines[start:end]).strip() or page.module


def _tags(definition: Definition, name: str, documented: str | None) -> Iterator[str]:
    last = name.rpartition(".")[2]
    yield "private" if last.startswith("_") else "public"
    if last.startswith("__") and last.endswith("__"):
        yield "special"
    if documented is None:
        yield "undocumented"
    if isinstance(definition, ast.AsyncFunctionDef):
        yield "async"
    if documented and "deprecated" in documented.lower():
        yield "deprecated"


def _examples(page: _Page, definition: Definition) -> Iterator[Example]:
    documented = ast.get_docstring(definition)
    if not documented or ">>>" not in documented:
        return
    assert isinstance(definition.body[0], ast.Expr)
    start = definition.body[0].lineno
    for part in _parsed(documented):
        answer = _storable(part.want.strip())
        yield Example(page.module, start + part.lineno, _storable(part.source.strip()), answer or None)


def _parsed(documented: str) -> list[doctest.Example]:
    try:
        return doctest.DocTestParser().get_examples(documented)
    except ValueError:  # text that only looks like an example
        return []


def _storable(text: str) -> str:
    """Remove what PostgreSQL cannot store: NUL characters and half surrogate pairs."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
