"""Milvus protocol: connections, requests, versions and errors of a Milvus server."""
