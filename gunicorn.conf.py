"""How the console is served, wherever it is started: `make run`, the demo, the container."""

workers = 1
threads = 8
# Shorter than the ten seconds in which everything must have ended after a Ctrl-C.
graceful_timeout = 5
control_socket_disable = True
