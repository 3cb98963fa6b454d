"""Milvus target: what can be seen before it connects."""

import pytest

from migrations_app.engine.address_guard import AddressPolicy
from migrations_app.engine.errors import Canceled, ConnectionFailed, DatabaseMissing
from migrations_app.engine.milvus.settings import MilvusSettings
from migrations_app.engine.stop_token import StopToken
from migrations_app.engine.targets.milvus.target import MilvusTarget


@pytest.mark.parametrize("database", ["дб", "a\nb"])
def test_a_database_name_that_cannot_be_sent_is_a_missing_database(database: str) -> None:
    with pytest.raises(DatabaseMissing) as missing:
        MilvusTarget(MilvusSettings(uri="http://127.0.0.1:1"), database)
    assert missing.value.field == "database"
    assert "\n" not in missing.value.message


def test_the_default_database_of_a_target_is_opened_with_the_same_limits() -> None:
    target = MilvusTarget(MilvusSettings(uri="http://127.0.0.1:1"), "shop")
    target.address_policy = AddressPolicy(allow_private=False)
    with target.in_default_database() as other, pytest.raises(ConnectionFailed) as caught:
        other.databases()
    assert caught.value.code == "address_private"
    stop = StopToken()
    stop.stop(Canceled("Stopped by the test."))
    with target.obeying(stop), target.in_default_database() as other, pytest.raises(Canceled):
        other.databases()
