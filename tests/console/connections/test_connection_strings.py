"""Connection strings that people paste: no part of a password is shown or stored in plain text, whatever the
string looks like, and those of other programs are understood.

The passwords in the strings below begin with “s3cret”, and have “t4il” after a character that may end one.
"""

from html import unescape
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.urls import reverse

from migrations_app import services
from migrations_app.engine.errors import SettingsError
from migrations_app.models import Connection

REFUSED = [
    # a password with a character that has a meaning in a URL
    *(f"postgresql://u:s3cret{end}t4il@db.example/shop" for end in ("@", "/", "?", "%", "@/", "/@", " ")),
    "postgresql://reader:s3cret@t4il@db.example/shop?sslmode=require",
    "postgresql://reader:12/t4il@db.example/shop",
    "postgresql://reader:12?t4il@db.example/shop",
    "postgresql://reader:12#t4il/@db.example/shop",
    "postgresql://reader:s3cret%zzt4il@db.example/shop",
    "postgresql://reader:s3cret%fft4il@db.example/shop",
    "postgresql://reader:s3cret%00t4il@db.example/shop",
    "postgresql+asyncpg://reader:s3cret@t4il@db.example/shop",
    "jdbc:postgresql://reader:s3cret@t4il@db.example/shop",
    "jdbc:postgresql://db.example/shop?user=reader&password=s3cret@t4il",
    "postgresql://db.example/shop?user=reader&password=s3cret&t4il",
    "postgresql://db.example/shop?user=reader&password=s3cret&t4il=1&",
    'DATABASE_URL="postgresql://reader:s3cret@t4il@db.example/shop"',
    # incomplete, or something else
    "postgresql://reader:s3crett4il",
    "postgresql://reader:s3crett4il/shop",
    "postgresql://reader:12/t4il%40db.example/shop",
    "postgresql://reader:12 #t4il@db.example/shop",
    "postgresql:reader:s3crett4il@db.example/shop",
    "postgresql//reader:s3crett4il@db.example/shop",
    "reader:s3crett4il@db.example/shop",
    "s3crett4il",
    "mysql://reader:s3crett4il@db.example/shop",
    "s3crett4il://reader:s3crett4il@db.example/shop",
    "postgresql://reader:s3cret\nt4il@db.example/shop",
    "postgresql://reader:${s3crett4il}@db.example/shop",
    "postgresql://reader:s3crett4il@db.example:s3crett4il/shop",
    "postgresql://reader:s3crett4il@db.example:5432/shop#t4il",
    "postgresql://reader:s3crett4il@db!example/shop",
    "postgresql://reader:s3crett4il@[db.example/shop",
    # parameters
    "postgresql://reader:s3crett4il@db.example/shop?sslrootcert=/s3crett4il.pem",
    "postgresql://reader:s3crett4il@db.example/shop?ssl=s3crett4il",
    "postgresql://reader:s3crett4il@db.example/shop?surprise=s3crett4il",
    "postgresql://reader:s3crett4il@db.example/shop?host=s3cret!t4il",
    "postgresql://reader:s3crett4il@db.example/shop?port=s3crett4il",
    # key=value pairs
    "host=db.example user=reader password=s3cret t4il dbname=shop",
    "host=db.example user=reader password=s3cret t4il=1 dbname=shop",
    "host=db.example user=reader password='s3cret't4il' dbname=shop",
    "host=db.example user=reader password='s3crett4il dbname=shop",
    "host=db.example user=reader password=s3cret host=t4il",
    "password=s3crett4il host=db!example user=reader",
    "Host=db.example;Username=reader;Password=s3cret;t4il;Database=shop",
    "Host=db.example;Username=reader;Password=s3cret;t4il=1;Database=shop",
    "host=db.example;port=5432;user=reader;password=s3crett4il;surprise=s3crett4il",
    "User ID=reader;Password='s3cret't4il;Host=db.example;Database=shop",
    "user=reader password=s3cret;til=t4il host=db.example dbname=shop",
    "password=s3cret;user=t4il host=db.example dbname=shop",
    "Username=reader;Password=s3cret;Host=t4il;Host=db.example;Database=shop",
    # a parameter twice
    "postgresql://db.example/shop?password=s3cret&user=t4il&user=reader",
    "jdbc:postgresql://db.example/shop?user=reader&password=s3cret&host=t4il",
    # not a comment
    "jdbc:postgresql://db.example/shop?user=reader&password=s3cret #t4il",
    "jdbc:postgresql://db.example/shop?password=s3cret #t4il&user=reader&sslmode=require",
]  # fmt: skip
UNDERSTOOD = [
    "postgresql://reader:s3cret%40t4il@db.example:5432/shop",
    "postgresql://reader:s3cret:t4il@db.example/shop",
    "postgresql://reader:s3cret#t4il@db.example/shop",
    "postgres://reader:s3crett4il@db.example/shop?pgbouncer=true&connection_limit=1&pool_timeout=0",
    "postgresql://reader:s3crett4il@db.example/shop?schema=app&sslaccept=strict&statement_cache_size=0",
    "postgresql+psycopg2://reader:s3crett4il@db.example/shop",
    "postgresql+psycopg://reader:s3crett4il@db.example/shop?application_name=x",
    "postgresql+asyncpg://reader:s3crett4il@db.example/shop?ssl=require",
    "postgres+pg8000://reader:s3crett4il@db.example/shop",
    "postgis://reader:s3crett4il@db.example/shop?pool=5",
    "jdbc:postgresql://db.example:5432/shop?user=reader&password=s3cret%40t4il&ssl=true&ApplicationName=x",
    "jdbc:postgresql://reader:s3crett4il@db.example/shop?currentSchema=app",
    "  DATABASE_URL=postgresql://reader:s3crett4il@db.example/shop  ",
    "export DATABASE_URL='postgresql://reader:s3crett4il@db.example/shop' # production",
    'DATABASE_URL: "postgresql://reader:s3crett4il@db.example/shop"',
    "“postgresql://reader:s3crett4il@db.example/shop”",
    "psql 'postgresql://reader:s3crett4il@db.example/shop?sslmode=require&channel_binding=require'",
    "host=db.example user=reader password='s3cret t4il' dbname=shop pgbouncer=true",
    'Host=db.example;Port=5432;Username=reader;Password="s3cret;t4il";Database=shop;Pooling=true',
    "User ID=reader;Password=s3cret't4il;Host=db.example;Port=5432;Database=shop;Pooling=true;",
    "Driver={PostgreSQL Unicode};Server=db.example;Port=5432;Database=shop;Uid=reader;Pwd=s3crett4il;",
    "ConnectionStrings__Default=Host=db.example;Database=shop;Username=reader;Password=s3crett4il",
    'DSN="host=db.example user=reader password=s3crett4il dbname=shop port=5432 TimeZone=UTC"',
    "DSN=host=db.example user=reader password=s3crett4il dbname=shop",
    "- DATABASE_URL=postgres://reader:s3crett4il@db.example/shop?ssl_require=true",
    "postgresql://reader:s3crett4il@localhost/shop?host=db.example",
    "jdbc:postgresql://db.example/shop?user=reader&password=s3cret,t4il;",
]


def sent(web: Client, kind: str = "postgresql", **data: str) -> Any:
    role = "target" if kind == "milvus" else "source"
    filled = {"name": "shop", "way": "url", "port": "5432", "sslmode": "prefer", "action": "save"} | data
    return web.post(reverse("connection_new", args=[kind]) + f"?role={role}", filled, follow=True)


def shown(page: Any) -> str:
    return unescape(page.content.decode())


@pytest.mark.parametrize("text", REFUSED)
@pytest.mark.parametrize("action", ["save", "test"])
def test_a_string_that_cannot_be_read_for_sure_is_refused_without_a_part_of_it(
    web: Client, text: str, action: str
) -> None:
    page = sent(web, url=text, action=action)
    assert list(page.context["form"].errors) == ["url"]
    assert not Connection.objects.exists()
    assert not [part for part in ("s3cret", "t4il") if part in shown(page)]


@pytest.mark.parametrize("text", REFUSED)
def test_a_new_migration_refuses_it_too(web: Client, text: str) -> None:
    filled = {"name": "shop", "way": "url", "port": "5432", "sslmode": "prefer", "connection": "new"}
    page = web.post(reverse("wizard_new", args=["postgresql"]), filled | {"url": text, "action": "next"})
    assert page.status_code == 422
    assert not [part for part in ("s3cret", "t4il") if part in shown(page)]


@pytest.mark.parametrize("text", UNDERSTOOD)
def test_a_string_of_another_program_is_understood(web: Client, text: str) -> None:
    page = sent(web, url=text)
    connection = Connection.objects.get()
    assert connection.address == "db.example:5432/shop"
    assert not [part for part in ("s3cret", "t4il") if part in shown(page)]


def test_what_is_left_out_is_said_without_its_value(web: Client) -> None:
    page = shown(
        sent(web, url="postgresql://reader:s3crett4il@db.example/shop?pgbouncer=s3crett4il&sslaccept=strict")
    )
    assert "“pgbouncer” was left out" in page
    assert "“sslaccept” was read as TLS mode “verify-full”" in page


@pytest.mark.parametrize("field", ["name", "host", "port", "database", "user"])
@pytest.mark.parametrize(
    "text",
    ["postgresql://reader:s3crett4il@db.example/shop", "host=db password=s3crett4il", "reader:s3crett4il@db"],
)
def test_a_connection_string_in_another_field_is_refused_and_not_sent_back(
    web: Client, field: str, text: str
) -> None:
    filled = {"way": "fields", "host": "db.example", "database": "shop", "user": "reader"} | {field: text}
    for action in ("save", "test"):
        page = sent(web, **filled, action=action)
        assert field in page.context["form"].errors
        assert "t4il" not in shown(page)
    assert not Connection.objects.exists()


@pytest.mark.parametrize(
    "text",
    [
        "http://root:s3crett4il@milvus:19530",
        "http://root:s3cret@t4il@milvus:19530",
        "http://root:s3cret/t4il@milvus:19530",
        "root:s3crett4il@milvus",
        "s3crett4il://milvus",
        "http://milvus:s3crett4il",
        "https://root:s3cret://t4il@milvus",
        "http://[s3crett4il",
    ],
)
def test_an_address_of_a_target_with_a_password_is_refused_without_a_part_of_it(
    web: Client, text: str
) -> None:
    page = sent(web, "milvus", uri=text)
    assert list(page.context["form"].errors) == ["uri"]
    message = " ".join(page.context["form"].errors["uri"])
    assert not [part for part in ("s3cret", "t4il") if part in message]
    assert not Connection.objects.exists()


# ---------------------------------------------------------------- stored secrets


@pytest.fixture
def saved(administrator: User) -> Connection:
    return services.connection_save(
        name="shop",
        kind="postgresql",
        settings={
            "host": "127.0.0.1",
            "port": 1,
            "database": "shop",
            "user": "reader",
            "password": "s3crett4il",
        },
        user=administrator,
    )


def changed(web: Client, saved: Connection, **data: str) -> Any:
    filled = {"name": saved.name, "way": "fields", "port": "1", "sslmode": "prefer", "host": "127.0.0.1"}
    filled |= {"database": "shop", "user": "reader", "password": "", "action": "save"}
    return web.post(reverse("connection_edit", args=[saved.pk]), filled | data)


@pytest.mark.parametrize("action", ["save", "test"])
@pytest.mark.parametrize(
    "change",
    [{"host": "localhost"}, {"port": "2"}, {"sslmode": "disable"},
     {"sslrootcert": "-----BEGIN CERTIFICATE-----\nabc\n-----END CERTIFICATE-----"}],
)  # fmt: skip
def test_a_stored_password_is_asked_for_again_if_it_would_be_sent_to_another_address(
    web: Client, saved: Connection, change: dict[str, str], action: str
) -> None:
    page = changed(web, saved, **change, action=action)
    assert "Enter it again: Password." in page.context["form"].errors["password"][0]
    saved.refresh_from_db()
    assert saved.address == "127.0.0.1:1/shop"


def test_a_stored_password_is_kept_for_another_database_of_the_server(web: Client, saved: Connection) -> None:
    assert changed(web, saved, database="other", user="writer", name="other").status_code == 302
    saved.refresh_from_db()
    assert (saved.address, saved.settings["password"]) == ("127.0.0.1:1/other", "s3crett4il")


def test_a_stored_connection_string_is_asked_for_again_if_it_would_be_sent_less_safely(
    web: Client, administrator: User
) -> None:
    url = "postgresql://reader:s3crett4il@db.example/shop"
    saved = services.connection_save(
        name="shop", kind="postgresql", settings={"url": url, "sslmode": "verify-full"}, user=administrator
    )
    page = changed(web, saved, way="url", url="", sslmode="disable")
    assert "Enter it again: Connection string." in page.context["form"].errors["url"][0]
    assert changed(web, saved, way="url", url=url, sslmode="disable").status_code == 302


def test_a_stored_token_is_not_sent_to_another_target(web: Client, administrator: User) -> None:
    saved = services.connection_save(
        name="vault",
        kind="milvus",
        settings={"uri": "http://127.0.0.1:1", "token": "s3crett4il"},
        user=administrator,
    )
    with pytest.raises(SettingsError) as caught:
        services.connection_save(
            name="vault", kind="milvus", settings={"uri": "http://127.0.0.1:2"}, user=None, connection=saved
        )
    assert caught.value.field == "token"
    url = reverse("connection_edit", args=[saved.pk])
    page = web.post(url, {"name": "vault", "uri": "http://127.0.0.1:2", "action": "test"})
    assert "Enter it again: Token." in page.context["form"].errors["token"][0]
