"""A server that accepts connections and says nothing holds no page for longer than its time limit."""

import time

import pytest
from django.test import Client
from django.urls import reverse

from migrations_app import endpoints
from migrations_app.models import Connection
from tests.integration.relays import as_a_silent_server, listening

FORMS = {
    "postgresql": {
        "host": "127.0.0.1",
        "port": "PORT",
        "database": "shop",
        "user": "reader",
        "sslmode": "disable",
    },
    "milvus": {"uri": "http://127.0.0.1:PORT"},
}


@pytest.mark.parametrize(("kind", "code"), [("postgresql", "source"), ("milvus", "target")])
def test_the_test_of_a_connection_ends_with_an_error_on_the_address(
    web: Client, monkeypatch: pytest.MonkeyPatch, kind: str, code: str
) -> None:
    monkeypatch.setattr(endpoints, "LOOK_SECONDS", 0.5)
    with listening(as_a_silent_server) as port:
        form = {name: value.replace("PORT", str(port)) for name, value in FORMS[kind].items()}
        began = time.monotonic()
        answer = web.post(reverse("connection_new", args=[kind]), form | {"name": "mute", "action": "test"})
        saved = Connection(name="saved", kind=kind, is_target=kind == "milvus", settings=form)
        saved.save()
        listed = web.post(reverse("connection_test", args=[saved.pk]), headers={"HX-Request": "true"})
        assert time.monotonic() - began < 5
    assert answer.status_code == 422
    (field,) = [name for name, errors in answer.context["form"].errors.items() if errors]
    assert field == endpoints.endpoint_class(kind, is_target=kind == "milvus").address_field
    for text in (answer.content.decode(), listed.content.decode()):
        assert "did not answer within 0.5 seconds" in text
