"""Wizard pages before a job: how they react while a user fills them in."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.e2e.milvus import client_of
from tests.e2e.person import Person

pytestmark = pytest.mark.engine


def begin_with_books(person: Person, library: str, vault: str) -> None:
    person.begin()
    person.page.get_by_role("radio", name=library).check()
    person.press("Next")
    person.choose("public.books", target=vault)


def test_a_problem_keeps_the_user_on_configure_and_is_focused(ada, library, vault, milvus_lite_uri, unique):
    name = f"books_{unique}"
    with client_of(milvus_lite_uri) as client:
        client.create_collection(name, dimension=4)
    begin_with_books(ada, library, vault)
    ada.apply_fix("Use like_")
    expect(ada.page.get_by_label("Target of like")).to_have_value("like_")
    ada.name_target(name)
    expect(ada.page.locator("#p-target")).to_contain_text(f"already has a collection “{name}”")
    ada.press("Go to the first problem")
    expect(ada.field("Target collection")).to_be_focused()
    ada.apply_fix(f"Use {name}_2")
    expect(ada.field("Target collection")).to_have_value(f"{name}_2")
    ada.continue_to_migrate()
    with client_of(milvus_lite_uri) as client:
        client.drop_collection(name)


def test_select_all_changes_only_the_shown_fields_and_no_options(ada, library, vault):
    begin_with_books(ada, library, vault)
    checkboxes = {name: ada.page.get_by_label(f"Include of {name}") for name in ("title", "pages", "like")}
    nullable = ada.page.get_by_label("Nullable of pages")
    expect(nullable).to_be_checked()
    ada.field("Filter fields").fill("pages")
    expect(checkboxes["title"]).not_to_be_visible()
    ada.field("Select all shown fields").uncheck()
    expect(ada.page.locator("#moving")).to_have_text("4 of 5 selected")
    ada.field("Filter fields").fill("")
    expect(checkboxes["title"]).to_be_checked()
    expect(checkboxes["pages"]).not_to_be_checked()
    ada.page.reload()
    expect(checkboxes["pages"]).not_to_be_checked()
    checkboxes["pages"].check()
    expect(nullable).to_be_checked()


def test_changes_are_reset_only_after_a_confirmation(ada, library, vault):
    begin_with_books(ada, library, vault)
    checkbox = ada.page.get_by_label("Include of pages")
    checkbox.uncheck()
    expect(ada.page.locator("#moving")).to_have_text("4 of 5 selected")
    ada.press("Reset to defaults")
    ada.page.locator("#ask").get_by_role("button", name="Go back").click()
    expect(checkbox).not_to_be_checked()
    ada.press("Reset to defaults")
    expect(ada.page.locator("#ask-text")).to_contain_text("Your changes for public.books will be lost.")
    ada.page.locator("#ask").get_by_role("button", name="Reset").click()
    expect(checkbox).to_be_checked()


def test_the_preview_shows_the_names_that_are_typed(ada, library, vault):
    begin_with_books(ada, library, vault)
    ada.apply_fix("Use like_")
    preview = ada.page.locator("#preview")
    expect(preview.get_by_role("columnheader")).to_have_text(["id", "title", "pages", "like_", "embedding"])
    expect(preview).to_contain_text("Book 1")
    ada.field("Target of title").fill("caption")
    ada.field("Target of title").blur()
    expect(preview.get_by_role("columnheader", name="caption")).to_be_visible()


def test_only_the_fields_of_the_chosen_connection_method_are_shown(ada):
    ada.begin()
    expect(ada.field("Host")).to_be_visible()
    text = ada.page.get_by_role("textbox", name=re.compile("Connection string"))
    expect(text).not_to_be_visible()
    ada.page.get_by_role("radio", name="Connection string").check()
    expect(text).to_be_visible()
    expect(ada.field("Host")).not_to_be_visible()


def test_both_checkboxes_of_the_old_key_agree_and_an_open_section_stays_open(ada, library, vault):
    begin_with_books(ada, library, vault)
    ada.apply_fix("Use like_")
    moving, advanced = ada.page.locator("#moving"), ada.page.locator("#advanced")
    ada.page.get_by_label("Primary key", exact=True).select_option("auto")
    expect(moving).to_have_text("4 of 5 selected")
    advanced.locator("summary").click()
    keep = ada.page.get_by_label("Keep the old key as an ordinary field")
    keep.check()
    expect(moving).to_have_text("5 of 5 selected")
    expect(advanced).to_have_attribute("open", "")
    ada.page.get_by_label("Include of id", exact=True).uncheck()
    expect(moving).to_have_text("4 of 5 selected")
    expect(keep).not_to_be_checked()
    ada.page.get_by_label("Include of id", exact=True).check()
    expect(keep).to_be_checked()
    ada.page.get_by_label("Primary key", exact=True).select_option("keep")
    expect(ada.page.locator(".problem")).to_have_count(0)


def test_the_type_of_an_index_brings_its_parameters_on_both_pages(ada, library, vault):
    begin_with_books(ada, library, vault)
    ada.apply_fix("Use like_")
    kind = ada.page.get_by_label("index of embedding")
    expect(ada.page.get_by_label("Metric of embedding")).to_have_value("guess")
    kind.select_option("HNSW")
    edges = ada.page.get_by_label("M of embedding", exact=True)
    edges.fill("1")
    edges.blur()
    expect(ada.page.locator(".problem")).to_contain_text("is not a whole number from 2 to 2,048.")
    edges.fill("24")
    edges.blur()
    expect(ada.page.locator(".problem")).to_have_count(0)
    ada.apply_fix("Use L2")
    expect(ada.page.get_by_label("Metric of embedding")).to_have_value("L2")
    ada.continue_to_migrate()
    card = ada.page.locator("#indexes")
    expect(card.get_by_text("used if you create the indexes later")).to_be_visible()
    ada.field("Create indexes").check()
    expect(card.get_by_text("created after the rows are moved")).to_be_visible()
    expect(card.get_by_label("M of books.embedding", exact=True)).to_have_value("24")
    card.get_by_label("index of books.embedding").select_option("IVF_FLAT")
    expect(card.get_by_label("nlist of books.embedding")).to_be_visible()
