"""Milvus engines: Milvus Lite and Milvus 2.3.5 answer with their versions."""

from tests.engines.milvus_client import plain_client


def test_each_milvus_answers_with_its_version(milvus_lite_uri: str, milvus_235_uri: str):
    versions = []
    for uri in (milvus_lite_uri, milvus_235_uri):
        client = plain_client(uri)
        versions.append(client.get_server_version())
        client.close()
    assert "lite-3." in versions[0]
    assert "2.3.5" in versions[1]
