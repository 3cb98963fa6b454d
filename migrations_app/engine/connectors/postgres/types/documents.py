"""What becomes JSON."""

from __future__ import annotations

from migrations_app.engine.connectors.postgres.types.reading import TEXT, Family, Reading
from migrations_app.engine.schema import MilvusType

_JSON = Family((Reading(MilvusType.JSON, TEXT),))

DOCUMENTS: dict[str, Family] = {"json": _JSON, "jsonb": _JSON}
