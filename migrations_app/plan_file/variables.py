"""Variables in a plan file: ``${NAME}``."""

from __future__ import annotations

import re

VARIABLE = re.compile(r"(\$?)\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
