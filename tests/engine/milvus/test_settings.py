"""Milvus settings: address, login and certificate."""

import base64

import pytest
from pydantic import SecretStr, ValidationError

from migrations_app.engine.milvus.address import MilvusAddress, parse_address
from migrations_app.engine.milvus.settings import MilvusSettings

PEM = "-----BEGIN CERTIFICATE-----\nMII\n-----END CERTIFICATE-----"
ZILLIZ = "in03-abc.serverless.gcp-us-west1.cloud.zilliz.com"


@pytest.mark.parametrize(
    ("uri", "address"),
    [
        ("http://127.0.0.1:19530", MilvusAddress("127.0.0.1", 19530, False)),
        ("https://milvus.example:19530", MilvusAddress("milvus.example", 19530, True)),
        ("http://milvus.example", MilvusAddress("milvus.example", 19530, False)),
        ("https://milvus.example", MilvusAddress("milvus.example", 443, True)),
        ("milvus.example", MilvusAddress("milvus.example", 19530, False)),
        ("milvus.example:19531", MilvusAddress("milvus.example", 19531, False)),
        ("milvus.example:443", MilvusAddress("milvus.example", 443, True)),
        ("http://milvus.example:19530/", MilvusAddress("milvus.example", 19530, False)),
        ("HTTPS://Milvus.Example:1", MilvusAddress("milvus.example", 1, True)),
        ("http://[::1]:19530", MilvusAddress("::1", 19530, False)),
        (f"https://{ZILLIZ}", MilvusAddress(ZILLIZ, 443, True)),
        (f"https://{ZILLIZ}:443", MilvusAddress(ZILLIZ, 443, True)),
        (ZILLIZ, MilvusAddress(ZILLIZ, 443, True)),
        ("https://in01-1.aws-us-west-2.vectordb.zillizcloud.com:19535",
         MilvusAddress("in01-1.aws-us-west-2.vectordb.zillizcloud.com", 19535, True)),
    ],
)  # fmt: skip
def test_an_address_is_understood_in_all_its_usual_forms(uri, address):
    assert parse_address(uri) == address


@pytest.mark.parametrize(
    ("uri", "sentence"),
    [
        ("./milvus.db", "a file on this machine"),
        ("/var/lib/milvus", "a file on this machine"),
        ("milvus_demo.db", "a file on this machine"),
        ("~/data", "a file on this machine"),
        ("file:///data/x", "a file on this machine"),
        ("unix:/tmp/milvus.sock", "a file on this machine"),
        ("grpc://host:19530", "not a Milvus address"),
        ("http://", "has no host"),
        ("http://my host:19530", "has no host"),
        ("http://host:banana", "port"),
        ("http://host:99999", "port"),
        ("http://host:0", "port"),
        ("http://host:19530/shop", "Choose the database later"),
        ("http://root:Milvus@host:19530", "own fields"),
    ],
)
def test_a_text_that_is_not_an_address_is_refused_with_a_hint(uri, sentence):
    with pytest.raises(ValidationError, match=sentence):
        MilvusSettings(uri=uri)


def test_a_password_in_the_address_is_not_repeated():
    with pytest.raises(ValidationError) as caught:
        MilvusSettings(uri="http://root:hunter2@host:19530")

    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_zilliz"),
    [(ZILLIZ, True), ("x.vectordb.zilliz.com.cn", True), ("notzilliz.com", False), ("milvus.local", False)],
)
def test_zilliz_cloud_is_recognized_by_its_host(host, is_zilliz):
    assert parse_address(f"https://{host}").is_zilliz == is_zilliz


@pytest.mark.parametrize(
    ("entered", "login"),
    [
        ({}, None),
        ({"token": "  key\n"}, "key"),
        ({"token": "root:Milvus"}, "root:Milvus"),
        ({"user": "root", "password": " space "}, "root: space "),
        ({"token": "", "user": "", "password": "", "ca_cert": ""}, None),
    ],
)
def test_the_login_is_sent_in_the_form_that_milvus_expects(entered, login):
    sent = MilvusSettings(uri="http://host", **entered).authorization()

    assert (base64.b64decode(sent).decode() if sent else None) == login


@pytest.mark.parametrize(
    ("entered", "sentence"),
    [
        ({"token": "t", "user": "u", "password": "p"}, "not both"),
        ({"user": "u"}, "User “u” needs a password"),
        ({"password": "p"}, "needs a user"),
    ],
)
def test_an_incomplete_or_double_login_is_refused_on_the_field_password(entered, sentence):
    with pytest.raises(ValidationError, match=sentence) as caught:
        MilvusSettings(uri="http://host", **entered)

    assert caught.value.errors()[0]["loc"] == ("password",)


def test_a_refused_login_is_shown_on_the_field_that_was_filled_in():
    assert MilvusSettings(uri="http://host", user="u", password="p").secret_field == "password"
    assert MilvusSettings(uri="http://host", token="t").secret_field == "token"
    assert MilvusSettings(uri="http://host").secret_field == "token"


def test_a_certificate_is_pem_text():
    assert PEM in (MilvusSettings(uri="https://host", ca_cert=f"  {PEM}\n").ca_cert or "")
    with pytest.raises(ValidationError, match="PEM"):
        MilvusSettings(uri="https://host", ca_cert="/etc/ssl/ca.pem")


def test_secrets_are_never_shown():
    settings = MilvusSettings(uri="http://host", user="u", password=SecretStr("hunter2"))

    assert "hunter2" not in f"{settings!r} {settings} {settings.model_dump_json()}"
