"""What a Milvus target says before it connects."""

import pytest

from migrations_app.engine.errors import DatabaseMissing
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.targets.milvus.target import MilvusTarget


@pytest.mark.parametrize("database", ["дб", "a\nb"])
def test_a_database_that_cannot_be_asked_for_is_not_there(database: str) -> None:
    with pytest.raises(DatabaseMissing) as missing:
        MilvusTarget(MilvusSettings(uri="http://127.0.0.1:1"), database)
    assert missing.value.field == "database"
    assert "\n" not in missing.value.message
