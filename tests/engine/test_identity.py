"""Identities of collections: which facts decide that two are the same collection."""

import socket

import pytest

from migrations_app.engine.identity import CollectionIdentity, places_of

HERE = places_of(["127.0.0.1"], 19530)
THERE = places_of(["192.0.2.1"], 19530)


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (("default.a", "7, 1", HERE), ("default.a", "7, 1", THERE), True),  # a proxy
        (("default.a", "7, 1", HERE), ("default.b", "7, 1", HERE), True),  # it was renamed meanwhile
        (("default.a", "7, 1", HERE), ("default.a", "7, 2", HERE), False),  # one address for two servers
        (("default.a", "", HERE), ("default.a", "", HERE), True),
        (("default.a", "", HERE), ("default.a", "7, 1", HERE), True),
        (("default.a", "", HERE), ("default.a", "", THERE), False),
        (("default.a", "", HERE), ("other.a", "", HERE), False),
        (("default.a", "", HERE | THERE), ("default.a", "", THERE), True),
        (("default.a", "", frozenset()), ("default.a", "", frozenset()), False),
    ],
)
def test_what_the_server_says_decides_and_names_and_addresses_only_without_it(one, other, same):
    assert CollectionIdentity(*one).is_same(CollectionIdentity(*other)) is same
    assert CollectionIdentity(*other).is_same(CollectionIdentity(*one)) is same


@pytest.mark.parametrize("address", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "0.0.0.0", "::"])
def test_all_addresses_of_this_machine_are_one_place(address):
    assert places_of([address], 19530) == HERE
    assert places_of([address], 19531) != HERE


def test_an_address_of_a_network_card_is_this_machine_too():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect(("192.0.2.1", 9))
        own = probe.getsockname()[0]
    assert places_of([own], 19530) == HERE


def test_an_ipv4_address_is_the_same_place_in_ipv6():
    assert places_of(["::ffff:192.0.2.1"], 1) == places_of(["192.0.2.1"], 1) != places_of(["192.0.2.2"], 1)
