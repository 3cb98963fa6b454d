"""Web console. ``__version__`` is the version of the whole product; pyproject.toml is its only source."""

import tomllib
from pathlib import Path

_PROJECT = Path(__file__).resolve().parent.parent / "pyproject.toml"
__version__: str = tomllib.loads(_PROJECT.read_text(encoding="utf-8"))["project"]["version"]
