"""Static files: their version, and compressed copies of them for the web server. No build step is needed."""

from __future__ import annotations

import hashlib
import shutil
from importlib.metadata import version as package_version
from pathlib import Path


def version(*folders: Path) -> str:
    """Return a text that changes if a file in ``folders`` or of a package with static files changes."""
    known = hashlib.blake2b(package_version("django-htmx").encode(), digest_size=4)
    for folder in folders:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            known.update(str(file.relative_to(folder)).encode() + file.read_bytes())
    return known.hexdigest()


def is_immutable(_path: str, _url: str) -> bool:
    """Return True, because all addresses of static files contain the version."""
    return True


def compress(root: Path, current: str) -> bool:
    """Write all static files and their compressed copies (gzip, Brotli) into ``root``, unless those of the
    version ``current`` are there. Return False if the folder cannot be written."""
    from django.contrib.staticfiles import finders
    from whitenoise.compress import Compressor

    done = root / "version"
    try:
        if done.exists() and done.read_text() == current:
            return True
        shutil.rmtree(root, ignore_errors=True)
        compressor = Compressor(quiet=True)
        for finder in finders.get_finders():
            for name, storage in finder.list([]):
                prefix = getattr(storage, "prefix", None)
                copy = root / prefix / name if prefix else root / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                with storage.open(name) as file:
                    copy.write_bytes(file.read())
                if compressor.should_compress(name):
                    list(compressor.compress(str(copy)))
        done.write_text(current)
    except OSError:
        return False
    return True
