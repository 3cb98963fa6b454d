"""Milvus target: errors that it raises before it connects."""

import pytest

from migrations_app.engine.errors import DatabaseMissing
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.targets.milvus.target import MilvusTarget


@pytest.mark.parametrize("database", ["дб", "a\nb"])
def test_a_database_name_that_cannot_be_sent_is_a_missing_database(database: str) -> None:
    with pytest.raises(DatabaseMissing) as missing:
        MilvusTarget(MilvusSettings(uri="http://127.0.0.1:1"), database)
    assert missing.value.field == "database"
    assert "\n" not in missing.value.message
