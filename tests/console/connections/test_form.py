"""Connection form: a connector's settings model defines its labels, help, placeholders and controls."""

from pathlib import Path
from typing import Literal

import pytest
from django import forms
from django.conf import settings
from pydantic import Field, SecretStr, model_validator

from console.connections.form import WAY, ConnectionForm
from console.model_forms.form import ModelForm
from migrations_app.engine.endpoint import SettingsModel
from migrations_app.engine.errors import AuthRefused, ConnectionFailed
from migrations_app.engine.sources.registry import SOURCES

PEM = "-----BEGIN KEY-----\nabc\n-----END KEY-----"


class Settings(SettingsModel):
    """One setting of each kind that a connector can have."""

    host: str = Field("", title="Host name", examples=["db.example"], json_schema_extra={"group": "fields"})
    port: int = Field(5432, ge=1, le=65535, json_schema_extra={"group": "fields"})
    password: SecretStr = Field(SecretStr(""), json_schema_extra={"group": "fields"})
    url: SecretStr = Field(SecretStr(""), title="Connection string", json_schema_extra={"group": "url"})
    mode: Literal["prefer", "require"] = Field("prefer", description="How it is encrypted.")
    verify: bool = Field(True, title="Verify the certificate")
    client_key: SecretStr | None = Field(None, json_schema_extra={"widget": "textarea", "advanced": True})
    retries: int | None = Field(None, json_schema_extra={"advanced": True})

    @model_validator(mode="after")
    def _has_an_address(self) -> "Settings":
        if bool(self.host) == bool(self.url.get_secret_value()):
            raise ValueError("give a host, or a connection string")
        return self


FILLED = {"name": "db", WAY: "fields", "host": "db.example", "port": "5432", "mode": "prefer", "verify": "on"}


def submitted(stored: dict[str, object] | None = None, **data: str) -> ConnectionForm:
    return ConnectionForm(Settings, FILLED | data, stored=stored)


def test_every_setting_becomes_a_control_of_its_kind() -> None:
    form = ConnectionForm(Settings)
    kinds = {name: type(field.widget) for name, field in form.fields.items()}
    assert kinds["host"] is forms.TextInput
    assert kinds["password"] is forms.PasswordInput
    assert kinds["mode"] is forms.Select
    assert kinds["verify"] is forms.CheckboxInput
    assert issubclass(kinds["client_key"], forms.Textarea)
    assert list(form.fields)[:3] == ["name", WAY, "host"]


def test_title_description_example_and_default_are_shown() -> None:
    form = ConnectionForm(Settings)
    assert form["host"].label == "Host name"
    assert form["client_key"].label == "Client key"
    assert form["mode"].help_text == "How it is encrypted."
    assert form.fields["host"].widget.attrs["placeholder"] == "db.example"
    assert form["port"].value() == 5432
    assert form["verify"].value() is True
    assert [name for name, field in form.fields.items() if getattr(field, "advanced", False)] == [
        "client_key",
        "retries",
    ]


def test_only_filled_in_values_are_passed_on() -> None:
    form = submitted()
    assert form.is_valid(), form.errors
    assert form.settings() == {"host": "db.example", "port": "5432", "mode": "prefer", "verify": True}
    assert Settings.model_validate(form.settings()).port == 5432


def test_one_group_of_settings_is_chosen_and_the_others_are_ignored() -> None:
    form = ConnectionForm(Settings)
    assert form.fields[WAY].choices == [("fields", "Fields"), ("url", "Connection string")]
    chosen = submitted(way="url", url="db://host", password="left over")
    assert chosen.is_valid(), chosen.errors
    assert set(chosen.settings()) == {"url", "mode", "verify"}


def test_a_stored_connection_opens_with_the_group_that_it_uses() -> None:
    stored = {"host": "", "port": 5432, "password": "", "url": "db://secret", "mode": "require"}
    form = ConnectionForm(Settings, stored=stored)
    assert form[WAY].value() == "url"
    assert form["mode"].value() == "require"


@pytest.mark.parametrize(
    ("data", "field", "words"),
    [
        ({"port": "70000"}, "port", "65535 or less"),
        ({"port": "54e2"}, "port", "whole number"),
        ({"port": "9" * 39}, "port", "65535 or less"),
        ({"mode": "sometimes"}, "mode", "sometimes"),
        ({"host": "a\0b"}, "host", "Null characters"),
        ({"host": "x" * 3000}, "host", "at most 2000 characters"),
        ({"retries": "many"}, "retries", "whole number"),
        ({"name": ""}, "name", "required"),
        ({"name": "x" * 101}, "name", "at most 100"),
    ],
)
def test_a_wrong_value_is_reported_on_its_field(data: dict[str, str], field: str, words: str) -> None:
    form = submitted(**data)
    assert words in " ".join(form.errors[field])


def test_all_faults_are_shown_at_once() -> None:
    model = SOURCES["postgresql"].load().Settings
    sent = {"name": "", "way": "fields", "port": "many", "sslmode": "sometimes", "user": "reader"}
    form = ConnectionForm(model, sent)
    assert set(form.errors) == {"name", "port", "sslmode", "host", "database"}
    assert form.errors["host"] == ["Enter host and database, or a connection string."]
    assert form.errors["database"] == ["Enter database too."]


def test_what_a_library_reported_is_folded_away() -> None:
    form = submitted()
    assert form.is_valid()
    form.refuse(ConnectionFailed("No.", "Check it.", field="host", details="<grpc> a\nb"))
    html = str(form.errors["host"])
    assert "No. Check it.<details><summary>technical details</summary>" in html
    assert "&lt;grpc&gt; a" in html


def test_an_error_that_concerns_several_settings_is_reported_above_the_fields() -> None:
    assert "Give a host, or a connection string" in submitted(host="").non_field_errors()[0]


def test_a_server_error_is_reported_on_its_field_with_its_hint() -> None:
    form = submitted()
    assert form.is_valid()
    form.refuse(AuthRefused("The password is wrong.", "Type it again.", field="password"))
    assert form.errors["password"] == ["The password is wrong. Type it again."]
    form.refuse(ConnectionFailed("It is down.", "Start it.", field="moon"))
    assert form.non_field_errors() == ["It is down. Start it. (connection_failed)"]


def test_an_error_of_a_setting_that_is_not_shown_is_reported_on_the_first_one_that_is() -> None:
    form = submitted(way="url", url="db://x")
    assert form.is_valid()
    form.refuse(ConnectionFailed("No host.", "Enter one.", field="host"))
    assert form.errors["url"] == ["No host. Enter one."]


def test_no_secret_is_ever_rendered() -> None:
    stored = {"host": "db", "password": "hush-hush", "client_key": PEM, "url": "db://hush-url"}
    for form in (
        ConnectionForm(Settings, stored=stored),
        submitted(stored, password="hush-hush", client_key=PEM, url="db://hush-url", port="wrong"),
    ):
        html = form.as_div() + repr(form)
        assert not [secret for secret in ("hush-hush", "BEGIN KEY", "hush-url") if secret in html]


def test_a_blank_secret_keeps_the_stored_one_and_a_typed_one_replaces_it() -> None:
    stored = {"host": "db.example", "password": "old", "client_key": PEM}
    assert submitted(stored).is_valid()
    kept = submitted(stored)
    kept.is_valid()
    assert (kept.settings()["password"], kept.settings()["client_key"]) == ("old", PEM)
    typed = submitted(stored, password=" new ")
    typed.is_valid()
    assert typed.settings()["password"] == " new "


def test_a_stored_secret_of_another_group_is_not_used() -> None:
    form = submitted({"host": "db", "password": "old"}, way="url", url="db://x")
    assert form.is_valid(), form.errors
    assert "password" not in form.settings()


def test_an_empty_stored_secret_does_not_count_as_stored() -> None:
    form = ConnectionForm(Settings, stored={"host": "db", "password": ""})
    assert "placeholder" not in form.fields["password"].widget.attrs


@pytest.mark.parametrize("kind", [*SOURCES, "memory"])
def test_every_model_of_every_registered_source_has_a_form(kind: str) -> None:
    source = SOURCES[kind].load()
    assert set(source.Settings.model_fields) < set(ConnectionForm(source.Settings).fields)
    for model in (source.Selection, source.Options):
        assert set(ModelForm(model, {}, prefix="").fields) == set(model.model_fields)


def test_no_view_form_or_template_mentions_a_source() -> None:
    words = (
        "postgres",
        "pgvector",
        "psycopg",
        "sslmode",
        "pinecone",
        "qdrant",
        "elasticsearch",
        "opensearch",
    )
    console = settings.BASE_DIR / "console"
    files: list[Path] = [*console.rglob("*.py"), *(settings.BASE_DIR / "templates").rglob("*.html")]
    # These may name PostgreSQL, because it can be the database of the console.
    own = {console / name for name in ("settings.py", "environment.py", "middleware.py")}
    found = [
        f"{path.name}: {word}"
        for path in sorted(set(files) - own)
        for word in words
        if word in path.read_text().lower()
    ]
    assert found == []
