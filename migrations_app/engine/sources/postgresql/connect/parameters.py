"""Parameters of connection strings: those of libpq, and what drivers, poolers and ORMs add to them."""

from __future__ import annotations

import re

SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
# The parameters that are passed on. Those that name a file of the worker's machine are left out on purpose.
_LIBPQ = frozenset(
    [
        "host",
        "hostaddr",
        "port",
        "dbname",
        "user",
        "password",
        "sslsni",
        "sslnegotiation",
        "ssl_min_protocol_version",
        "ssl_max_protocol_version",
        "channel_binding",
        "require_auth",
        "gssencmode",
        "target_session_attrs",
        "load_balance_hosts",
        "connect_timeout",
        "tcp_user_timeout",
        "options",
        "application_name",
        "fallback_application_name",
        "client_encoding",
        "keepalives",
        "keepalives_idle",
        "keepalives_interval",
        "keepalives_count",
        "min_protocol_version",
        "max_protocol_version",
    ]
)
_FILES = {
    "sslrootcert": "CA certificate",
    "sslcert": "Client certificate",
    "sslkey": "Client key",
    "sslpassword": "Client key",
    "sslidentity": "Client certificate",
    **dict.fromkeys(("passfile", "service", "servicefile", "sslcrl", "sslcrldir", "sslkeylogfile"), ""),
}
# Names of JDBC, .NET and others, in lower case, and the parameter of libpq.
_SAME = {
    "username": "user",
    "userid": "user",
    "uid": "user",
    "pwd": "password",
    "server": "host",
    "database": "dbname",
    "connecttimeout": "connect_timeout",
    "logintimeout": "connect_timeout",
    "targetservertype": "target_session_attrs",
    "target_server_type": "target_session_attrs",
    "channelbinding": "channel_binding",
    "ssl-mode": "sslmode",
    "ssl_mode": "sslmode",
}
# Settings of poolers, ORMs and drivers for the program that the connection string is from.
_IGNORED_NAMES = """
pgbouncer connection_limit pool_timeout socket_timeout statement_cache_size schema_cache_size
prepared_statement_cache_size prepared_statement_name_func prepared_statements prepare_threshold
statement_cache_capacity statement_cache_mode default_query_exec_mode description_cache_capacity
max_cached_statement_lifetime max_cacheable_statement_size command_timeout timeout direct_tls pool
pool_size max_overflow pool_recycle pool_pre_ping pool_mode pool_max_conns pool_min_conns
pool_max_conn_lifetime pool_max_conn_lifetime_jitter pool_max_conn_idle_time pool_health_check_period
max_connections min_connections max_size min_size max min idle_timeout max_lifetime checkout_timeout
reaping_frequency idletimeoutmillis connectiontimeoutmillis acquire_timeout connect_retries conn_max_age
conn_health_checks disable_server_side_cursors atomic_requests advisory_locks encoding charset variables
statement_timeout lock_timeout idle_in_transaction_session_timeout query_timeout fetch_size jit workaround
supa uselibpqcompat replication_timeout sslcompression applicationname sockettimeout cancelsignaltimeout
tcpkeepalive tcpnodelay preparethreshold preparedstatementcachequeries preparedstatementcachesizemib
preferquerymode rewritebatchedinserts defaultrowfetchsize stringtype binarytransfer readonly readonlymode
autosave cleanupsavepoints loadbalancehosts hostrecheckseconds logunclosedconnections
assumeminserverversion allowencodingchanges disablecolumnsanitiser escapesyntaxcallmode loglevel
loggerlevel loggerfile maxresultbuffer unknownlength sendbuffersize receivebuffersize adaptivefetch
quotereturningidentifiers databasemetadatacacheentries databasemetadatacachefields sslfactory
sslfactoryarg sslhostnameverifier pooling minpoolsize maxpoolsize minimumpoolsize maximumpoolsize
connectionidlelifetime connectionpruninginterval connectionlifetime commandtimeout keepalive
includeerrordetail persistsecurityinfo noresetonclose maxautoprepare autoprepareminusages multiplexing
enlist serverversion trustservercertificate x-migrations-table timezone driver provider
"""
_IGNORED = frozenset(_IGNORED_NAMES.split())
_SCHEMA = frozenset({"schema", "currentschema", "current_schema", "search_path", "searchpath"})
_YES = frozenset({"true", "1", "on", "yes"})
_OTHER_MODES = {
    "no-verify": "require",
    "required": "require",
    "preferred": "prefer",
    "disabled": "disable",
    "verify_ca": "verify-ca",
    "verifyca": "verify-ca",
    "verify_full": "verify-full",
    "verifyfull": "verify-full",
    "verify_identity": "verify-full",
    **dict.fromkeys(_YES, "require"),
    **dict.fromkeys(("false", "0", "off", "no"), "disable"),
}
_SESSIONS = {
    "master": "primary",
    "slave": "standby",
    "secondary": "standby",
    "prefersecondary": "prefer-standby",
}
_NEXT = re.compile(
    r"\b(?:password|passwd|pwd|user|username|user ?id|uid|host|server|port|dbname|database)\s*=",
    re.IGNORECASE,
)
_SAFE_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,40}")
# A host name, an IPv6 address, or the folder of a Unix socket. psycopg supports no abstract socket (“@name”).
_HOST = re.compile(r"[A-Za-z0-9._-]*|(?=(?:[^:]*:){2})[0-9A-Fa-f:.]+(?:%[\w.-]+)?|/[\w./:-]*", re.ASCII)
ENCODE = (
    "percent-encode these characters in user and password: @ as %40, / as %2F, ? as %3F, # as %23, "
    "% as %25, a space as %20"
)


class Parameters(dict[str, str]):
    """The libpq parameters so far. ``add`` translates those of other programs, and notes what it leaves out.

    Only names are noted, never values: a value may be secret.
    """

    def __init__(self, *, is_jdbc: bool = False) -> None:
        super().__init__()
        self.is_jdbc = is_jdbc
        self._tls: dict[str, str] = {}
        self._given: set[str] = set()
        self._ignored: list[str] = []
        self._notes: list[str] = []

    def note(self, sentence: str) -> None:
        self._notes.append(f"Connection string: {sentence}")

    def notices(self) -> tuple[str, ...]:
        names = ", ".join(f"“{name}”" for name in dict.fromkeys(self._ignored))
        verb = "was" if len(self._ignored) == 1 else "were"
        ignored = (
            (f"Connection string: {names} {verb} left out; only other programs need this.",) if names else ()
        )
        return (*self._notes, *ignored)

    def add(self, name: str, value: str, *, is_nameless: bool = False) -> None:
        """Add one parameter. Raises ``ValueError`` if it is not known. ``is_nameless``: the name may be part
        of a password with a space, so it is not repeated."""
        key = name.lower()
        key = _SAME.get(key, key)
        if key not in ("password", "options") and _NEXT.search(value):
            raise ValueError(
                "a value contains the next parameter: write a space or a semicolon between parameters, not "
                "both; put a value with a space, a quote or a semicolon into quotes"
            )
        if key in self._given or (is_nameless and key in self):
            raise ValueError(
                "it gives a parameter twice; if a value contains a space, a semicolon or &, percent-encode "
                "it in a URL, or put it into single quotes"
            )
        self._given.add(key)
        if key in ("sslmode", "ssl", "ssl_require", "sslaccept"):
            self._tls[key] = self._mode(key, value.strip().lower())
        elif key == "sslrootcert" and value == "system":
            self._tls["ssl"] = "verify-full"
        elif key in _SCHEMA:
            self.note(f"“{name}” was left out: the tables of all schemas are listed, each with its schema.")
        elif key in _FILES:
            self._refuse_file(key)
        elif key in _IGNORED:
            self._ignored.append(name)
        elif key == "target_session_attrs":
            self[key] = _SESSIONS.get(value.lower(), value)
        elif key in _LIBPQ:
            self[key] = value
        elif is_nameless or not _SAFE_NAME.fullmatch(name):
            raise ValueError(
                "it has a parameter that is not known: remove it; if a value contains a space, a semicolon "
                "or &, percent-encode it in a URL, or put it into single quotes"
            )
        else:
            raise ValueError(f"its parameter “{name}” is not known: remove it")

    def _mode(self, key: str, word: str) -> str:
        """The TLS mode that a value of another program means, or the safest one that is close to it."""
        if key == "sslaccept":
            mode = {"strict": "verify-full", "accept_invalid_certs": "require"}.get(word)
        elif word in SSL_MODES:
            mode = word
        elif word in _YES and self.is_jdbc:
            mode = "verify-full"
        else:
            mode = _OTHER_MODES.get(word)
        if mode is None:
            raise ValueError(
                f"the value of its parameter “{key}” is not known: write sslmode=require or verify-full"
            )
        if (key, word) != ("sslmode", mode):
            self.note(f"“{key}” was read as TLS mode “{mode}”.")
        return mode

    def _refuse_file(self, key: str) -> None:
        title = _FILES[key]
        advice = f"remove it, and paste the text of the file under “{title}”" if title else "remove it"
        raise ValueError(f"its parameter “{key}” names a file: {advice}")

    def checked(self) -> dict[str, str]:
        """The parameters. Raises ``ValueError`` for a host or a port that cannot be one."""
        if not (are_hosts(self.get("host", "")) and are_hosts(self.get("hostaddr", ""))):
            raise ValueError(
                f"the host has a character that no host name has. If it belongs to the password: {ENCODE}"
            )
        if not all(
            re.fullmatch(r"\d{0,5}", port, re.ASCII) and int(port or 1) in range(1, 65_536)
            for port in self.get("port", "").split(",")
        ):
            raise ValueError(
                f"the port is not a number from 1 to 65535. If it belongs to the password: {ENCODE}"
            )
        return dict(self) | self._sslmode()

    def _sslmode(self) -> dict[str, str]:
        """The TLS mode: that of ``sslmode``, and a check of the certificate if it is asked for."""
        mode = self._tls.get("sslmode") or self._tls.get("ssl")
        mode = mode or self._tls.get("ssl_require") or self._tls.get("sslaccept")
        if self._tls.get("sslaccept") == "verify-full" and mode != "disable":
            mode = "verify-full"
        return {"sslmode": mode} if mode else {}


def are_hosts(hosts: str) -> bool:
    """True if each of the hosts is a host name, an IP address or the path of a socket."""
    return all(_HOST.fullmatch(host.strip()) for host in hosts.split(","))
