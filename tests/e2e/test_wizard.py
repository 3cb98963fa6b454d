"""Wizard (Connect, Select, Configure Schema, Migrate): used by clicks, with a real Milvus as the target."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect
from pymilvus import DataType

from migrations_app.models import Connection, Draft, Job
from tests.e2e.conftest import PASSWORD, save_vault
from tests.e2e.milvus import client_of, count, types
from tests.e2e.person import Person

pytestmark = pytest.mark.engine


def test_a_table_is_migrated_by_clicks_and_arrives_complete(
    worker, ada, books, administrator, milvus_uri, unique
):
    save_vault(milvus_uri, administrator)
    name = f"books_{unique}"

    ada.begin()
    ada.fill_in("library", books.settings)
    ada.press("Next")
    ada.choose("public.books", target="vault")
    ada.name_target(name)
    expect(ada.page.get_by_role("button", name="Use like_")).to_be_visible()
    ada.apply_fix("Use like_")
    expect(ada.page.get_by_label("Target of like")).to_have_value("like_")
    ada.continue_to_migrate()
    ada.field("Create indexes").check()
    ada.field("Load collections for search").check()
    job = ada.migrate()
    ada.waits_for("Successful")

    expect(ada.page.get_by_text("500 = 500")).to_be_visible()
    assert Job.objects.get().public_id == job
    with client_of(milvus_uri) as client:
        assert count(client, name) == 500
        rows = client.query(name, "id in [5, 6]", output_fields=["*"], consistency_level="Strong")
        five, six = sorted(rows, key=lambda row: row["id"])
        assert five["title"] == "Book 5"
        assert five.get("pages") is None
        assert five["like_"] is False
        assert six["pages"] == 106
        assert six["like_"] is True
        assert six["embedding"] == [6.0] * 8
        client.drop_collection(name)


def test_two_tables_are_migrated_in_one_job(worker, ada, library, vault, milvus_lite_uri, unique):
    names = {"books": f"books_{unique}", "reviews": f"reviews_{unique}"}
    ada.begin()
    ada.page.get_by_role("radio", name=library).check()
    ada.press("Next")
    for table, reason in {"authors": "no column of type vector", "shelves": "no rows"}.items():
        expect(ada.field(f"public.{table}")).to_be_disabled()
        expect(ada.page.get_by_role("row", name=f"public.{table}")).to_contain_text(reason)
    ada.choose("public.books", "public.reviews", target=vault)
    ada.page.get_by_label("Include of like").uncheck()
    ada.switch_to("reviews")
    ada.name_target(names["reviews"])
    expect(ada.page.get_by_text("Auto ID gives each row a new key")).to_be_visible()
    ada.switch_to("books")
    expect(ada.page.get_by_label("Include of like")).not_to_be_checked()
    ada.name_target(names["books"])
    ada.continue_to_migrate()
    ada.field("Create indexes").check()
    ada.field("Load collections for search").check()
    ada.migrate()
    ada.waits_for("Successful")

    expect(ada.page.get_by_text("500 = 500")).to_be_visible()
    expect(ada.page.get_by_text("70 = 70")).to_be_visible()
    assert Job.objects.count() == 1
    ada.field("Search the log").fill("Created collection")
    expect(ada.page.locator("#log-lines li")).to_have_count(2)
    with client_of(milvus_lite_uri) as client:
        assert {name: count(client, name) for name in names.values()} == dict(
            zip(names.values(), (500, 70), strict=True)
        )
        assert "like" not in types(client, names["books"])
        assert types(client, names["reviews"])["book"] == DataType.INT64
        (review,) = client.query(names["reviews"], "book == 7", output_fields=["reader", "words"])
        assert (review["reader"], review["words"]) == ("reader 0", "Review 7")
        for name in names.values():
            client.drop_collection(name)


def test_a_wrong_password_is_shown_on_its_field_and_can_be_corrected_there(ada, books):
    ada.begin()
    ada.fill_in("library", {**books.settings, "password": "not the password"})
    ada.press("Next")

    password = ada.field("Password")
    expect(password).to_have_class(re.compile("is-invalid"))
    expect(ada.page.locator(".field-grid > div", has=password)).to_contain_text("password")
    assert "not the password" not in ada.page.content()
    for setting in ("host", "port", "database", "user"):
        expect(ada.field(setting.capitalize())).to_have_value(str(books.settings[setting]))
    assert not Connection.objects.exists()

    password.fill(str(books.settings["password"]))
    ada.press("Next")
    ada.sees("Select source and target")
    assert Connection.objects.get().name == "library"
    assert str(books.settings["password"]) not in ada.page.content()


def test_a_draft_outlives_the_browser_and_going_back_loses_nothing(ada, open_browser, library, vault, unique):
    ada.begin()
    ada.page.get_by_role("radio", name=library).check()
    ada.press("Next")
    ada.choose("public.books", "public.reviews", target=vault)
    ada.page.get_by_label("Max length of title").fill("777")
    ada.name_target(f"books_{unique}")
    ada.press("Back")
    ada.sees("Select source and target")
    ada.page.context.close()

    again = Person(open_browser(), PASSWORD)
    again.log_in("ada")
    expect(again.page.get_by_text("2 tables selected")).to_be_visible()
    again.page.get_by_role("link", name="Resume").click()
    assert_shows_typed_values(again, f"books_{unique}")
    again.press("Back")
    for table in ("books", "reviews"):
        expect(again.field(f"public.{table}")).to_be_checked()
    expect(again.field("Connection").locator("option:checked")).to_have_text(vault)
    again.page.get_by_role("link", name="Back").click()
    expect(again.page.get_by_role("radio", name=library)).to_be_checked()
    again.press("Next")
    again.press("Next")
    assert_shows_typed_values(again, f"books_{unique}")
    assert Draft.objects.count() == 1


def assert_shows_typed_values(person: Person, name: str) -> None:
    expect(person.field("Target collection")).to_have_value(name)
    expect(person.page.get_by_label("Max length of title")).to_have_value("777")


def test_the_whole_wizard_works_without_javascript(
    worker, open_browser, administrator, library, vault, milvus_lite_uri, unique
):
    person = Person(open_browser(java_script_enabled=False), PASSWORD)
    person.log_in("ada")
    person.begin()
    person.page.get_by_role("radio", name=library).check()
    person.press("Next")
    person.choose("public.reviews", target=vault)
    person.field("Target collection").fill(f"reviews_{unique}")
    person.continue_to_migrate()
    person.migrate()
    reload_until_status(person, "Successful")
    with client_of(milvus_lite_uri) as client:
        assert client.has_collection(f"reviews_{unique}")
        client.drop_collection(f"reviews_{unique}")


def reload_until_status(person: Person, status: str) -> None:
    """Reload the page until the job has this status: a page without JavaScript does not update."""
    for _ in range(120):
        if person.status.inner_text() == status:
            return
        person.page.wait_for_timeout(500)
        person.page.reload()
    pytest.fail(f"The job is still {person.status.inner_text()}")
