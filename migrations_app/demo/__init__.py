"""A console to try at once: a real PostgreSQL, a real Milvus and real data, all in one folder of the
checkout.
"""
