"""gRPC channel: connects to checked addresses only, and makes calls that can be stopped."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from urllib.request import proxy_bypass

import grpc

from migrations_app.engine.address_guard import Resolve
from migrations_app.engine.interruptible import STEP_SECONDS, interruptible
from migrations_app.engine.stop_token import StopToken

# Without keepalive: a server closes the connection of a client that pings too often ("too many pings"), and
# every call has a deadline anyway.
OPTIONS: list[tuple[str, Any]] = [
    ("grpc.max_send_message_length", -1),
    # gRPC must not silently resend a request that the server may have read.
    ("grpc.enable_retries", 0),
    # Channels do not share connections, nor the back-off after a failed connection.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 5000),
]
# The variables in which gRPC looks for a proxy.
PROXY_VARIABLES = ("grpc_proxy", "https_proxy", "http_proxy")


def open_channel(
    host: str,
    port: int,
    resolve: Resolve,
    check: Callable[[], None],
    *,
    tls: bool,
    ca_cert: str | None = None,
    most_bytes: int = -1,
) -> grpc.Channel:
    """Return a channel to the addresses that ``host`` has now. The host stays the name for TLS and requests.

    ``ca_cert`` is PEM text; None: the authorities that gRPC trusts. ``check`` raises to stop the search for
    the addresses, which may take long. An answer of more than ``most_bytes`` is refused (RESOURCE_EXHAUSTED).
    """
    addresses = interruptible(lambda: resolve(host), check)
    uses_proxy = _uses_proxy(host)
    # gRPC asks a proxy for the whole list of addresses as if it were one.
    target = grpc_target(addresses[:1] if uses_proxy else addresses, port)
    name = f"[{host}]" if ":" in host else host
    options = [
        *OPTIONS,
        ("grpc.max_receive_message_length", most_bytes),
        ("grpc.default_authority", f"{name}:{port}"),
        ("grpc.enable_http_proxy", int(uses_proxy)),
    ]
    if not tls:
        return grpc.insecure_channel(target, options)
    credentials = grpc.ssl_channel_credentials(ca_cert.encode() if ca_cert else None)
    return grpc.secure_channel(target, credentials, options)


def grpc_target(addresses: tuple[str, ...], port: int) -> str:
    """Return the target of a gRPC channel to IP addresses, so that gRPC resolves no name.

    A target has one family (https://github.com/grpc/grpc/blob/master/doc/naming.md). If the addresses have
    both, IPv4 addresses are written as mapped IPv6 addresses; gRPC connects to them by IPv4.
    """
    if not any(":" in address for address in addresses):
        return "ipv4:" + ",".join(f"{address}:{port}" for address in addresses)
    mapped = (address if ":" in address else f"::ffff:{address}" for address in addresses)
    return "ipv6:" + ",".join(f"[{address.replace('%', '%25')}]:{port}" for address in mapped)


def stoppable(invoke: Any, stop: StopToken, request: Any, **options: Any) -> Any:
    """Call ``invoke`` and return its answer, but cancel the call and raise the reason if a stop is
    requested."""
    return result_of(invoke.future(request, **options), stop)


def result_of(call: Any, stop: StopToken) -> Any:
    """Return the answer of a call that is on its way, or cancel it and raise the reason of a stop."""
    while True:
        try:
            return call.result(timeout=STEP_SECONDS)
        except grpc.FutureTimeoutError:
            if stop.is_stopped:
                call.cancel()
            stop.check()


def _uses_proxy(host: str) -> bool:
    """True if the environment sends gRPC through a proxy. gRPC itself would look for the address in
    ``no_proxy``, where the operator wrote the name."""
    return any(map(os.environ.get, PROXY_VARIABLES)) and not proxy_bypass(host)
