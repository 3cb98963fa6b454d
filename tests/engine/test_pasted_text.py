"""Pasted text: what may contain a password, and what only looks like it."""

import pytest

from migrations_app.engine.pasted_text import holds_password

CERTIFICATE = """X509v3 Subject Alternative Name:
    email:admin@example.com
-----BEGIN CERTIFICATE-----
MIIB
-----END CERTIFICATE-----"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("postgresql://ada:s3cret@db/shop", True),
        ("ada:s3cret@db", True),
        ("host=db password=s3cret", True),
        ("https://in01.example.com:19530", False),
        ("Shop: ops@example.com", False),
        (CERTIFICATE, False),
    ],
)
def test_a_certificate_or_an_address_is_not_taken_for_a_password(text, expected):
    assert holds_password(text) is expected
