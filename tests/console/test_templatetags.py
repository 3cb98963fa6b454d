"""Template tags: the rail, times, the rate curve, the slice cells and forms."""

import re
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from django import forms
from django.template import Context, Template
from django.test import RequestFactory
from django.urls import path
from django.utils import timezone

from console.templatetags import console as tags


def page(request: object) -> None: ...


urlpatterns = [
    path("migrations/", page, name="migrations"),
    path("jobs/", page, name="jobs"),
    path("jobs/1/", page, name="job"),
    path("access/", page, name="accounts"),
]


def rail(url_name: str, *, is_staff: bool) -> list[dict[str, object]]:
    request = RequestFactory().get("/")
    request.resolver_match = SimpleNamespace(url_name=url_name)
    request.user = SimpleNamespace(is_staff=is_staff)
    return tags.rail(Context({"request": request}))


@pytest.mark.urls(__name__)
def test_the_rail_shows_only_pages_that_exist() -> None:
    assert [entry["title"] for entry in rail("jobs", is_staff=True)] == ["Migrations", "Jobs", "Access"]


@pytest.mark.urls(__name__)
def test_the_rail_hides_access_from_viewers() -> None:
    assert [entry["title"] for entry in rail("jobs", is_staff=False)] == ["Migrations", "Jobs"]


@pytest.mark.urls(__name__)
@pytest.mark.parametrize(
    ("url_name", "title"), [("jobs", "Jobs"), ("job_rejected", "Jobs"), ("wizard_schema", "Migrations")]
)
def test_the_rail_marks_the_current_page(url_name: str, title: str) -> None:
    assert [entry["title"] for entry in rail(url_name, is_staff=False) if entry["current"]] == [title]


def test_recent_times_are_shown_in_a_shorter_form() -> None:
    noon = timezone.localtime().replace(hour=12, minute=0, second=7, microsecond=0)
    assert ">12:00:07<" in tags.when(noon)
    assert ">yesterday<" in tags.when(noon - timedelta(days=1))
    assert ">3 Feb 2001<" in tags.when(datetime(2001, 2, 3, tzinfo=UTC))
    assert 'title="3 Feb 2001, 00:00:00 UTC"' in tags.when(datetime(2001, 2, 3, tzinfo=UTC))
    assert tags.when(None) == ""


def test_the_recent_past_is_shown_in_minutes() -> None:
    assert ">a moment ago<" in tags.ago(timezone.now())
    assert ">5 min ago<" in tags.ago(timezone.now() - timedelta(minutes=5, seconds=2))


def test_every_slice_state_gets_a_cell_even_if_it_is_rare() -> None:
    drawn = tags.slice_cells({"done": 1_990, "running": 1, "stopped": 1, "waiting": 8})
    assert set(drawn["cells"]) == {"done", "running", "stopped", "waiting"}
    assert 30 <= len(drawn["cells"]) <= 36
    assert drawn["text"] == "1,990 done · 1 running · 1 stopped · 8 waiting"


def test_few_slices_get_a_cell_each_in_the_order_of_their_states() -> None:
    counts = SimpleNamespace(done=2, running=1, stopped=0, waiting=3)
    assert tags.slice_cells(counts)["cells"] == ["done"] * 2 + ["running"] + ["waiting"] * 3


def test_no_slices_draw_nothing() -> None:
    assert tags.slice_cells({}) == {"cells": [], "text": ""}


def test_the_rate_curve_stays_inside_its_frame() -> None:
    begin = datetime(2026, 11, 21, 14, 2, tzinfo=UTC)
    drawn = tags.rate_curve(
        [(begin + timedelta(seconds=2 * place), place % 7 * 1_000.0) for place in range(60)]
    )
    places = [tuple(map(float, place.split(","))) for place in drawn["line"].split()]
    assert len(places) == 60
    assert all(30 <= x <= 400 and 4 <= y <= 44 for x, y in places)
    assert (places[0][0], places[-1][0]) == (30, 400)
    assert min(y for _, y in places) == 4


@pytest.mark.parametrize("samples", [[], [(datetime(2026, 1, 1, tzinfo=UTC), 5.0)], None])
def test_a_curve_with_fewer_than_two_samples_is_not_drawn(samples: object) -> None:
    assert (
        Template("{% load console %}{% rate_curve samples %}").render(Context({"samples": samples})).strip()
        == ""
    )


def test_a_job_that_moved_nothing_has_a_flat_curve() -> None:
    begin = datetime(2026, 11, 21, 14, 2, tzinfo=UTC)
    assert (
        tags.rate_curve([(begin, 0.0), (begin + timedelta(seconds=2), 0.0)])["line"] == "30.0,44.0 400.0,44.0"
    )


class Settings(forms.Form):
    host = forms.CharField()
    certificate = forms.CharField(widget=forms.Textarea)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["certificate"].advanced = True


def test_a_form_hides_its_advanced_fields_in_a_fold_that_opens_on_errors() -> None:
    template = Template('{% include "_form.html" %}')
    closed = template.render(Context({"form": Settings()}))
    assert closed.index('name="host"') < closed.index("<details") < closed.index('name="certificate"')
    assert not re.search(r"<details[^>]*\sopen", closed)
    wrong = template.render(Context({"form": Settings({"host": "db", "certificate": ""})}))
    assert re.search(r"<details[^>]*\sopen", wrong)


def test_a_control_in_a_row_is_named_after_its_field_and_row() -> None:
    html = tags.row_control(Settings({"host": ""})["host"], "docs")
    assert 'aria-label="Host of docs"' in html
    assert 'class="form-control is-invalid"' in html
