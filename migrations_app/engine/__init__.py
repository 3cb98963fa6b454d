"""The data plane: connectors, mapping, pipeline and the Milvus target. It does not import Django."""
