"""The Indexes card of the Migrate page."""

from dataclasses import replace
from typing import Any

import pytest
from django.test import Client

from console.draft import preflight_cache
from migrations_app.models import Draft, Job
from tests.console.wizard_helpers import change, collection, start, url
from tests.kit import MemoryStore


@pytest.fixture
def unknown(web: Client, source_store: MemoryStore, selected: Draft) -> Draft:
    """A draft that can start, whose source does not tell the metric of the vector."""
    books = source_store.collections["books"]
    books.fields = tuple(replace(f, metric=None) if f.name == "embedding" else f for f in books.fields)
    change(web, selected, action="reset")
    change(web, selected, like__target="liked")
    return selected


def send(web: Client, draft: Draft, **data: str) -> Any:
    answer = web.post(
        url("migrate", draft), {"verify": "counts", "max_rejected": "5", "action": "indexes"} | data
    )
    draft.refresh_from_db()
    return answer


def index_of(draft: Draft) -> dict[str, Any]:
    return dict(collection(draft)["indexes"][0])


def texts(web: Client, draft: Draft) -> str:
    return " ".join(check["text"] for check in web.get(url("migrate", draft)).context["checks"])


def test_a_guessed_metric_is_asked_for_and_chosen_on_the_card(
    web: Client, unknown: Draft, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "so the metric COSINE is a guess." in texts(web, unknown)
    # The choice needs no other look at the source: no row decides about an index.
    monkeypatch.setattr(preflight_cache, "check", None)
    send(web, unknown, **{"i0-0-metric": "L2", "i0-0-index_type": "HNSW"})
    assert (index_of(unknown)["metric"], index_of(unknown)["guessed"]) == ("L2", False)
    assert "is a guess" not in texts(web, unknown)
    (line,) = web.get(url("migrate", unknown)).context["indexes"]
    assert (line.name, [param.label for param in line.form.params]) == (
        "books.embedding",
        ["M", "efConstruction"],
    )
    send(web, unknown, **{"i0-0-param_M": "24"})
    assert index_of(unknown)["params"] == {"M": 24}


def test_the_buttons_beside_the_check_confirm_a_guess(web: Client, unknown: Draft) -> None:
    checks = web.get(url("migrate", unknown)).context["checks"]
    offers = {fix.label: fix.value for check in checks for fix in check["fixes"]}
    assert {"COSINE is right", "Use L2", "Use IP"} <= set(offers)
    send(web, unknown, fix=offers["COSINE is right"])
    assert (index_of(unknown)["metric"], index_of(unknown)["guessed"]) == ("COSINE", False)


def test_an_invalid_parameter_is_an_error_at_its_control_and_nothing_starts(
    web: Client, unknown: Draft
) -> None:
    send(web, unknown, **{"i0-0-index_type": "HNSW"})
    answer = send(web, unknown, action="migrate", **{"i0-0-param_M": "1"})
    assert "“1” is not a whole number from 2 to 2,048." in answer.content.decode()
    assert not Job.objects.exists()
    assert start(web, unknown).status_code == 302  # without the controls, the indexes stay as they are
    assert index_of(unknown)["type"] == "HNSW"
