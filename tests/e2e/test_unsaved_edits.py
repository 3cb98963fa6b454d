"""Edits on Configure: sent when the page is left, and refused if another tab has changed the draft."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from migrations_app.models import Draft
from tests.e2e.conftest import PASSWORD
from tests.e2e.person import Person

pytestmark = pytest.mark.engine


def test_an_edit_is_saved_however_the_page_is_left(ada, library, vault, unique):
    ada.begin()
    ada.page.get_by_role("radio", name=library).check()
    ada.press("Next")
    ada.choose("public.books", target=vault)
    address = ada.page.url
    ada.field("Target collection").fill(f"link_{unique}")
    ada.page.get_by_role("link", name="Jobs").click()  # by a link, before the check was sent
    ada.sees("Jobs")
    ada.page.goto(address)
    expect(ada.field("Target collection")).to_have_value(f"link_{unique}")
    ada.field("Target collection").fill(f"gone_{unique}")
    ada.page.goto("/jobs/")  # as by the address bar
    for _ in range(100):
        if Draft.objects.get().plan["collections"][0]["target"] == f"gone_{unique}":
            break
        ada.page.wait_for_timeout(50)
    ada.page.goto(address)
    expect(ada.field("Target collection")).to_have_value(f"gone_{unique}")


def test_a_tab_that_shows_an_older_draft_is_told_so(ada, library, vault, unique):
    ada.begin()
    ada.page.get_by_role("radio", name=library).check()
    ada.press("Next")
    ada.choose("public.books", target=vault)
    second = Person(ada.page.context.new_page(), PASSWORD)
    second.page.goto(ada.page.url)
    ada.name_target(f"first_{unique}")
    ada.name_target(f"books_{unique}")
    second.name_target(f"second_{unique}")
    expect(second.page.get_by_text("was changed in another tab")).to_be_visible()
    second.page.get_by_role("link", name="Reload").click()
    expect(second.field("Target collection")).to_have_value(f"books_{unique}")
    second.name_target(f"second_{unique}")
    expect(second.page.get_by_text("was changed in another tab")).to_have_count(0)
    second.page.reload()
    expect(second.field("Target collection")).to_have_value(f"second_{unique}")
