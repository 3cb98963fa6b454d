"""Help pages: the documents that the console shows, their order and their addresses."""

from __future__ import annotations

import posixpath
from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.templatetags.static import static
from django.urls import reverse

from console.help.markdown import Document, render

ROOT = Path(settings.BASE_DIR)
GUIDE = "guide"
FIRST = (GUIDE, "plan-file")  # the other documents of docs/ follow in the order of their names
LAST = {"security": "SECURITY.md", "changelog": "CHANGELOG.md"}
PICTURES = "docs/pictures/"  # static files under the prefix of settings.STATICFILES_DIRS


def paths() -> dict[str, Path]:
    """Return the path of each document by its name in the address."""
    found = {path.stem: path for path in sorted((ROOT / "docs").glob("*.md"))}
    listed = {name: found[name] for name in FIRST if name in found} | found
    others = {name: ROOT / file for name, file in LAST.items()}
    return listed | {name: path for name, path in others.items() if path.is_file()}


def document(name: str) -> Document | None:
    """Return a document as HTML; None if there is none of this name."""
    path = paths().get(name)
    return _rendered(path, path.stat().st_mtime_ns) if path else None


def titles() -> dict[str, str]:
    """Return the titles of all documents by their names."""
    return {name: page.title for name in paths() if (page := document(name))}


def address(name: str) -> str:
    return reverse("help") if name == GUIDE else reverse("help_page", args=[name])


@lru_cache(maxsize=64)
def _rendered(path: Path, changed_ns: int) -> Document:
    folder = path.parent.relative_to(ROOT).as_posix()
    return render(path.read_text(encoding="utf-8"), lambda link: _resolve(link, folder))


def _resolve(link: str, folder: str) -> str:
    """Return the address of a link in a document of ``folder``: of another page or of a picture. Links to
    other hosts and inside the same page do not change."""
    file, mark, anchor = link.partition("#")
    if not file or ":" in file:
        return link
    file = posixpath.normpath(posixpath.join(folder, file))
    if file.startswith(PICTURES):
        return static(f"help/{file.removeprefix(PICTURES)}")
    name = next((name for name, path in paths().items() if path == ROOT / file), "")
    return address(name) + mark + anchor if name else link
