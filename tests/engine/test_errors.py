"""Errors of a server that may be source or target."""

import pytest

from migrations_app.engine.errors import ServerBusy, ServerError, SourceError, TargetError
from migrations_app.engine.sources.base import source_error
from migrations_app.engine.targets.base import target_error

ENDS = [(source_error, "source", SourceError), (target_error, "target", TargetError)]


@pytest.mark.parametrize(("translate", "role", "base"), ENDS)
@pytest.mark.parametrize("kind", [ServerError, *ServerError.__subclasses__()])
def test_each_end_has_its_own_error_for_each_error_of_a_server(kind, translate, role, base):
    error = translate(kind("It failed."))
    assert isinstance(error, base)
    assert error.code == kind.default_code.replace("server", role)
    assert error.retryable == kind.default_retryable


def test_a_translated_error_keeps_what_the_server_said():
    seen = ServerBusy("Slowly.", "Wait.", code="quota", field="uri", path="p", retry_after_seconds=3.0)
    for translate, *_ in ENDS:
        assert vars(translate(seen)) == vars(seen)
