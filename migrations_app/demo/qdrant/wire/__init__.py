"""The two interfaces of the server: REST and gRPC."""
