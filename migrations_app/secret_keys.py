"""The keys this installation generates for itself, and whether a process has the ones its database was made
with.

Nothing here needs Django's settings, so that the settings themselves can be made of it.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path


def read_or_generate(path: Path, generate: Callable[[], str]) -> str:
    """The secret stored in `path`, made by `generate` on first start with mode 0600.

    Safe against two processes that start at once: the file appears whole or not at all, and only the first
    one's counts.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp gives mode 0600 from the first byte on.
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        try:
            with os.fdopen(handle, "w") as file:
                file.write(generate() + "\n")
                file.flush()
                os.fsync(file.fileno())
            _link_unless_there(name, path)
        finally:
            os.unlink(name)
    return path.read_text().strip()


def _link_unless_there(name: str, path: Path) -> None:
    # Where another process was first, its secret is the one that counts.
    with suppress(FileExistsError):
        os.link(name, path)


def fingerprint(secret_key: str, *encryption_keys: str) -> str:
    """Names the key that signs, and those that encrypted, without giving them away: 16 hexadecimal digits
    each."""
    return "-".join(_digest(key) for key in (secret_key, *encryption_keys))


def can_serve(stored: str, secret_key: str, encryption_keys: Sequence[str]) -> bool:
    """Whether these keys can sign for, and decrypt, all that a database with this fingerprint holds."""
    signer, *needed = stored.split("-")
    return signer == _digest(secret_key) and {_digest(key) for key in encryption_keys}.issuperset(needed)


def with_newest(stored: str, encryption_key: str) -> str:
    """The fingerprint of a database in which from now on also `encryption_key` encrypts."""
    signer, *needed = stored.split("-")
    newest = _digest(encryption_key)
    return "-".join((signer, newest, *(key for key in needed if key != newest)))


def _digest(secret: str) -> str:
    return hashlib.sha256(b"vectorferry fingerprint\0" + secret.encode()).hexdigest()[:16]
