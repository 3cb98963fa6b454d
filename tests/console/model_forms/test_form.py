"""Model form: a source's model defines the controls, and validates what they send."""

from typing import Any, Literal

import pytest
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from pydantic import Field, model_validator

from console.model_forms.form import ModelForm, summary
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.setting_types import SourceValues
from migrations_app.engine.sources.base import Choice


class Model(SettingsModel):
    level: Literal[1, 2, 3] = 1
    mode: Literal["fast", "exact"] | None = Field(
        None, json_schema_extra={"labels": {"fast": "At full speed"}}
    )
    is_strict: bool = Field(True, title="Strict")
    ids: list[int] = Field(default_factory=list)
    parts: list[Literal["a", "b"]] = Field(default_factory=lambda: ["a"])
    namespaces: SourceValues = Field(default_factory=list, title="Namespaces")
    note: str = Field("", json_schema_extra={"widget": "textarea"})
    share: float = Field(0.5, title="Share", ge=0, lt=1)

    @model_validator(mode="after")
    def _has_ids(self) -> "Model":
        if self.note == "ids" and not self.ids:
            raise ValueError("name the ids")
        return self


def sent(**data: str | list[str]) -> ModelForm:
    values = {f"m-{name}": value if isinstance(value, list) else [value] for name, value in data.items()}
    return ModelForm(Model, {}, QueryDict(mutable=True) if not data else MultiValueDict(values), prefix="m")


def test_values_arrive_with_their_types_and_defaults_are_left_out() -> None:
    form = sent(level="2", mode="", ids="7\r\n\r\n 8 ", parts=["b"], note="one\r\ntwo", share="0.25")
    assert form.is_valid(), form.errors
    assert form.values() == {
        **{"level": 2, "is_strict": False, "ids": [7, 8], "parts": ["b"], "note": "one\ntwo", "share": 0.25}
    }
    unchanged = sent(level="1", is_strict="on", parts=["a"], share="0.50", namespaces=[])
    assert unchanged.is_valid(), unchanged.errors
    assert unchanged.values() == {}


def test_if_nothing_is_chosen_the_default_of_the_model_applies() -> None:
    form = sent(level="1", is_strict="on", parts=[])
    assert form.is_valid(), form.errors
    assert Model.model_validate(form.values()).parts == ["a"]


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({"share": "1"}, "share", "“Share” must be less than 1, not “1”."),
        ({"share": "nan"}, "share", "“Share” must be a finite number"),
        ({"ids": "7\nseven"}, "ids", "must be a whole number, not “seven”."),
        ({"level": "4"}, "level", "Select a valid choice"),
        ({"parts": ["a", "c"]}, "parts", "must be 'a' or 'b', not “c”."),
        ({"namespaces": ["x", "x"]}, "namespaces", "“x” appears twice"),
        ({"note": "ids"}, "level", "Name the ids"),
    ],
)
def test_a_fault_is_shown_on_its_control(data: dict[str, Any], field: str, words: str) -> None:
    form = sent(**{"level": "1", "share": "0.5"} | data)
    assert words in " ".join(form.errors[field])
    assert len(form.errors) == 1


def test_a_value_that_is_no_longer_listed_stays_chosen_and_says_so() -> None:
    form = ModelForm(Model, {"namespaces": ["gone", "here"]}, prefix="m")
    waiting = str(form["namespaces"])
    assert waiting.count(" checked>") == 2
    assert "no longer" not in waiting
    form.fields["namespaces"].widget.offer([Choice("here", "", 12_000), Choice("", "default")])
    html = str(form["namespaces"])
    assert "12,000 rows" in html
    assert html.count(" checked>") == 2
    assert html.count("no longer in the source") == 1
    assert html.index("gone") < html.index("no longer in the source") < html.index("here")


def test_a_long_list_is_cut_and_a_value_beyond_the_cut_stays_chosen() -> None:
    form = ModelForm(Model, {"namespaces": ["n5000"]}, prefix="m")
    form.fields["namespaces"].widget.offer(Choice(f"n{number}") for number in range(10_000))
    html = str(form["namespaces"])
    assert html.count("<li") == 2_001
    assert "Only the first 2,000 values are shown" in html
    assert "no longer" not in html


def test_a_summary_uses_titles_and_labels() -> None:
    values = {"mode": "fast", "is_strict": False, "namespaces": ["", "b", "c", "d", "e"], "ids": []}
    assert list(summary(Model, values)) == [
        "mode At full speed",
        "strict: no",
        "namespaces “”, b, c and 2 more",
    ]


def test_a_type_without_a_control_is_refused() -> None:
    class Odd(SettingsModel):
        mapping: dict[str, str] = Field(default_factory=dict)

    with pytest.raises(TypeError, match="no control for the field “mapping”"):
        ModelForm(Odd, {}, prefix="m")
