"""Milvus as a target: its wire, its versions, its errors."""
