"""Static files: their version, and compressed copies of them for the web server. No build step is needed."""

from __future__ import annotations

import hashlib
import re
import shutil
from importlib.metadata import version as package_version
from pathlib import Path
from tempfile import TemporaryDirectory

_VERSION = re.compile(r"[0-9a-f]{8}")


def version(*folders: Path) -> str:
    """Return a text that changes if a file in ``folders`` or of a package with static files changes."""
    known = hashlib.blake2b(package_version("django-htmx").encode(), digest_size=4)  # as _VERSION
    for folder in folders:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            known.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return known.hexdigest()


def is_immutable(_path: str, _url: str) -> bool:
    """Return True, because all addresses of static files contain the version."""
    return True


def compress(root: Path, current: str) -> Path | None:
    """Return the folder in ``root`` with all static files of the version ``current`` and their compressed
    copies (gzip, Brotli); None if it cannot be written.

    Those of other versions are deleted. Several processes may start at the same time: the folder appears when
    it is complete.
    """
    made = root / current
    if made.is_dir():
        return made
    try:
        root.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=root) as folder:
            new = Path(folder) / current
            _write(new)
            new.rename(made)
    except OSError:
        return made if made.is_dir() else None
    for old in root.iterdir():
        if _VERSION.fullmatch(old.name) and old != made:
            shutil.rmtree(old, ignore_errors=True)
    return made


def _write(folder: Path) -> None:
    from django.contrib.staticfiles import finders
    from whitenoise.compress import Compressor

    compressor = Compressor(quiet=True)
    for finder in finders.get_finders():
        for name, storage in finder.list([]):
            prefix = getattr(storage, "prefix", None)
            copy = folder / prefix / name if prefix else folder / name
            copy.parent.mkdir(parents=True, exist_ok=True)
            with storage.open(name) as file:
                copy.write_bytes(file.read())
            if compressor.should_compress(name):
                list(compressor.compress(str(copy)))
