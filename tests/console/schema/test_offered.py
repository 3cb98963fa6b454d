"""What a source says about its fields, on the Configure Schema page."""

from dataclasses import replace

from django.test import Client

from migrations_app.engine.model.source_schema import TypeChoice
from migrations_app.models import Draft
from tests.console.wizard_helpers import change, field, page, row
from tests.kit import MemoryStore


def test_a_field_that_the_source_only_offers_is_unticked_with_its_note_and_can_be_ticked(
    web: Client, source_store: MemoryStore, selected: Draft
) -> None:
    books = source_store.collections["books"]
    offered = replace(
        books.fields[3],
        choices=tuple(
            TypeChoice(c.spec, "Not searchable.", is_proposed=False) for c in books.fields[3].choices
        ),
    )
    books.fields = tuple(offered if f.name == offered.name else f for f in books.fields)
    change(web, selected, action="reset")
    shown = row(web, selected, "pages")
    assert (shown["moves"], shown["left_note"]) == (False, "left out: Not searchable")
    assert shown["include"] is not None
    change(web, selected, pages__include="on")
    assert field(selected, "pages")["type"] == "INT32"
    assert page(web, selected).context["problem_count"] == 1  # the name “like”
