"""End-to-end tests of the console: a real browser, a real worker, a real PostgreSQL and a real Milvus."""
