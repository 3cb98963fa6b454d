"""Faults from Pydantic errors: messages with paths."""

from __future__ import annotations

import pytest
from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError

from migrations_app.engine.model.plan import CollectionPlan
from migrations_app.engine.model.pydantic_faults import faults_of, path_of


class Settings(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)
    port: int
    password: SecretStr | None = None


def faults(**data):
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate(data)
    return faults_of(caught.value, ("port", "password"), {"password"})


def test_a_path_is_written_as_in_a_plan():
    assert path_of(("collections", 0, "fields", 2, "max_length")) == "collections[0].fields[2].max_length"


def test_a_wrong_type_names_the_key_and_the_value():
    [fault] = faults(port="many")
    assert fault.message == "“port” must be a whole number, not “many”."
    assert fault.field == "port"


class Named(BaseModel):
    model_config = ConfigDict(strict=True)
    name: str


@pytest.mark.parametrize(
    ("value", "shown"), [(1, "1"), (0, "0"), (True, "true"), (1.0, "1.0"), (None, "empty"), ([], "a list")]
)
def test_a_value_is_shown_as_it_was_written(value, shown):
    with pytest.raises(ValidationError) as caught:
        Named(name=value)
    assert faults_of(caught.value)[0].message == f"“name” must be text, not {shown}."


def test_every_fault_is_reported():
    assert {f.path for f in faults(prot=1)} == {"port", "prot"}


def test_a_secret_is_never_repeated():
    assert all("12345" not in f.message for f in faults(port=1, password=12345))


class OneOfTwo(BaseModel):
    left: int = 0
    right: int = 0

    @model_validator(mode="after")
    def _is_one(self):
        if self.left and self.right:
            raise PydanticCustomError("two_ways", "give one of {names}", {"names": "two", "field": "right"})
        if not (self.left or self.right):
            raise ValueError("give one")
        return self


def test_a_fault_of_several_keys_has_its_own_message_and_the_named_key():
    with pytest.raises(ValidationError) as caught:
        OneOfTwo(left=1, right=1)
    [fault] = faults_of(caught.value)
    assert (fault.message, fault.field) == ("Give one of two.", "right")
    with pytest.raises(ValidationError) as caught:
        OneOfTwo()
    [fault] = faults_of(caught.value)
    assert (fault.message, fault.field) == ("Give one.", "")


def test_an_unknown_key_is_not_suggested_as_its_own_correction():
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"port": 1, "window": 2})
    [fault] = faults_of(caught.value, ("port", "window"))
    assert fault.hint == "Remove it, or check its spelling."


def test_a_fault_in_a_list_names_the_entry():
    """YAML reads a column named “no” as false."""
    plan = {"source": "s", "key": ["tenant", False]}
    with pytest.raises(ValidationError) as caught:
        CollectionPlan.model_validate(plan)
    (fault,) = faults_of(caught.value)
    assert (fault.path, fault.message) == ("key[1]", "“key” must be text, not false.")
