"""The wire format of Qdrant's gRPC answers, read for all points of a page at once.

fields.py      protobuf messages: the fields of many messages, in parallel
texts.py       byte strings: cut out of buffers, put together, written as JSON
payloads.py    the payloads of a page as JSON texts
page.py        a page: ids, payloads, dense and sparse vectors
documents.py   one point as a document, for what is too rare to be read in parallel
"""
