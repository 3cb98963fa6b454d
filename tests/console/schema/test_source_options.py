"""Options of a source on Configure Schema: how it reads a collection."""

from typing import Any

import pytest
from django.test import Client

from migrations_app.models import Connection, Draft, Job
from tests.console.wizard_helpers import change, collection, page, select, start, url
from tests.kit import MemoryStore


@pytest.fixture
def articles(web: Client, archive: Draft, target: Connection) -> Draft:
    select(web, archive, target, "articles")
    return archive


def options(**values: Any) -> dict[str, Any]:
    return {f"source_options-{name}": value for name, value in values.items()}


def targets(draft: Draft) -> list[str]:
    return [field["target"] for field in collection(draft)["fields"]]


def test_options_are_stored_and_the_collection_is_described_with_them(web: Client, articles: Draft) -> None:
    assert "score" not in targets(articles)
    change(web, articles, received__target="got", **options(with_scores="on", dates="iso", languages=["de"]))
    assert collection(articles)["source_options"] == {
        "with_scores": True,
        "dates": "iso",
        "languages": ["de"],
    }
    assert targets(articles) == ["id", "embedding", "namespace", "got", "score"]
    change(web, articles, score__target="points", partition_key="namespace")
    change(web, articles, without=tuple(options(with_scores="")))
    assert targets(articles) == ["id", "embedding", "namespace", "got"]
    assert collection(articles)["partition_key"] == "namespace"


def test_options_survive_another_visit_of_select_and_reach_the_job(
    web: Client, articles: Draft, target: Connection
) -> None:
    change(web, articles, **options(factor="2.5", stop_words="the\r\na"))
    wanted = {"factor": 2.5, "stop_words": ["the", "a"]}
    select(web, articles, target, "letters")
    select(web, articles, target, "articles", "letters")
    assert collection(articles)["source_options"] == wanted
    select(web, articles, target, "articles")
    assert start(web, articles).status_code == 302
    job = Job.objects.get()
    assert job.plan["collections"][0]["source_options"] == wanted


def test_options_are_in_the_downloaded_plan_and_in_the_summary(web: Client, articles: Draft) -> None:
    change(web, articles, **options(dates="iso"))
    plan = web.get(url("plan", articles)).content.decode()
    assert "source_options:\n    dates: iso" in plan
    (shown,) = web.get(url("migrate", articles)).context["collections"]
    assert "dates as ISO 8601" in shown["notes"]


def test_an_invalid_option_is_shown_as_typed_and_the_others_are_stored(web: Client, articles: Draft) -> None:
    change(web, articles, **options(factor="11", dates="iso"))
    assert collection(articles)["source_options"] == {"dates": "iso"}
    shown = page(web, articles).context["collection"]
    (problem,) = shown["problems"]
    assert (problem.field, problem.message) == (
        "source_options-factor",
        "“Factor” must be 10 or less, not “11”.",
    )
    assert shown["source_options"]["form"]["factor"].value() == "11"
    change(web, articles, **options(factor="3"))
    assert collection(articles)["source_options"] == {"dates": "iso", "factor": 3.0}
    assert page(web, articles).context["problem_count"] == 0


def test_an_option_that_the_source_refuses_is_shown_and_the_others_are_stored(
    web: Client, articles: Draft
) -> None:
    change(web, articles, **options(script="fail", with_scores="on"))
    assert collection(articles)["source_options"] == {"with_scores": True}
    assert "score" in targets(articles)
    (problem,) = page(web, articles).context["collection"]["problems"]
    assert problem.field == "source_options-script"
    assert problem.message == "The script fails in line 1. Change it."


def test_a_source_without_options_has_no_such_section(
    web: Client, selected: Draft, source_store: MemoryStore
) -> None:
    assert page(web, selected).context["collection"]["source_options"] is None
