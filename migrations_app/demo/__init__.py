"""Demo: a console with a real PostgreSQL, a real Milvus and real data, all in one folder of the checkout."""
