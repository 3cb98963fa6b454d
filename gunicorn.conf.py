"""Gunicorn settings for `make run`, the demo and the container."""

workers = 1
threads = 8
# After Ctrl-C all processes must end within ten seconds; this must be shorter.
graceful_timeout = 5
control_socket_disable = True
