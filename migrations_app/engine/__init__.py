"""The data plane: connectors, mapping, pipeline and the Milvus target. Loads no Django."""
