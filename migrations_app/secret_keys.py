"""Secret keys: generates the keys of this installation, and checks that a process has the same keys as its
database.

Nothing here needs Django's settings, because the settings themselves import this module.
"""

import hashlib
import os
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path


def read_or_generate(path: Path, generate: Callable[[], str]) -> str:
    """Return the secret stored in `path`. On the first start `generate` creates it, with file mode 0600.

    Two processes may start at the same time: the file appears complete or not at all, and both use the
    secret of the first one.
    """
    if not path.exists():
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # mkstemp creates the file with mode 0600.
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
    # If another process was first, its secret is used.
    with suppress(FileExistsError):
        os.link(name, path)


def fingerprint(secret_key: str, *encryption_keys: str) -> str:
    """Return a text that identifies the signing key and the encryption keys without revealing them: 16
    hexadecimal digits each."""
    return "-".join(_digest(key) for key in (secret_key, *encryption_keys))


def can_serve(stored: str, secret_key: str, encryption_keys: Sequence[str]) -> bool:
    """True if these keys can sign and decrypt everything in a database with the fingerprint ``stored``."""
    signer, *needed = stored.split("-")
    return signer == _digest(secret_key) and {_digest(key) for key in encryption_keys}.issuperset(needed)


def with_newest(stored: str, encryption_key: str) -> str:
    """Return the fingerprint ``stored`` with `encryption_key` added as the newest encryption key."""
    signer, *needed = stored.split("-")
    newest = _digest(encryption_key)
    return "-".join((signer, newest, *(key for key in needed if key != newest)))


def _digest(secret: str) -> str:
    return hashlib.sha256(b"vectorferry fingerprint\0" + secret.encode()).hexdigest()[:16]
