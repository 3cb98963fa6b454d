"""The connection to a Qdrant server: settings, REST, gRPC, and the errors of both."""
