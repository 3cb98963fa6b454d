"""Labels of the types of raw bytes on Configure Schema: hex and base64 can be told apart."""

from __future__ import annotations

from console.schema.forms.field import _label
from migrations_app.engine.model.source_schema import TypeChoice
from migrations_app.engine.model.types import MilvusType, TypeSpec
from migrations_app.engine.sources.postgresql.types.texts import _encoded


def test_each_encoding_of_raw_bytes_has_a_label_of_its_own() -> None:
    readings = (_encoded("hex", "1", "1"), _encoded("base64", "1", "1"))
    choices = [TypeChoice(TypeSpec(MilvusType.VARCHAR), note=reading.note) for reading in readings]
    assert [_label(choice) for choice in choices] == ["VARCHAR · Hex", "VARCHAR · Base64"]
