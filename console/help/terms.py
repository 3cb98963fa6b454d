"""Terms: the words of the pages that a newcomer may not know, each explained in two or three sentences.

``{% term %}`` shows a term with its explanation; the page *Terms* of the help lists them all.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Term:
    word: str
    text: str


TERMS = {
    "source": Term("Source", "The database that rows are read from. A job only reads it, never changes it."),
    "target": Term("Target", "The Milvus server or Zilliz Cloud cluster that the rows go to."),
    "connection": Term(
        "Connection",
        "The address and the credentials of a source or a target. Credentials are stored encrypted and "
        "never shown again. Several migrations can use one connection.",
    ),
    "connection_string": Term(
        "Connection string",
        "User, password, host, port and database in one line. Special characters in user and password are "
        "percent-encoded: @ is %40, / is %2F.",
    ),
    "tls_mode": Term(
        "TLS mode",
        "Whether the connection is encrypted. “prefer” encrypts if the server can. “require” always "
        "encrypts. “verify-ca” and “verify-full” also check the certificate of the server.",
    ),
    "token": Term(
        "Token",
        "What logs in to Milvus: an API key (Zilliz Cloud), or user:password. A Milvus without "
        "authentication needs none.",
    ),
    "collection": Term(
        "Collection",
        "A set of rows with the same fields. Milvus calls it a collection; other systems call it a table or "
        "an index.",
    ),
    "database": Term(
        "Database",
        "A Milvus server can have several databases, each with its own collections. “default” always exists.",
    ),
    "size": Term(
        "Size in Milvus",
        "An estimate of the size of the raw data: the number of rows times the bytes of one row. Indexes "
        "need more. Compare it with the capacity of your cluster.",
    ),
    "rows": Term(
        "Rows",
        "A number with “about” is an estimate of the source. Rows are counted exactly when the job starts.",
    ),
    "vector_field": Term(
        "Vector field",
        "A field that holds the vectors to search in. The number behind its name is the dimension: how many"
        " numbers one vector has. “any” means that the source does not declare it.",
    ),
    "primary_key": Term(
        "Primary key",
        "The field whose value names one row. Milvus keeps one row per key. A key is INT64 or VARCHAR and "
        "never null.",
    ),
    "auto_id": Term(
        "Auto ID",
        "Milvus makes a new key for each row. The keys of the source are not the keys of the target; you "
        "can keep them as an ordinary field.",
    ),
    "joined_key": Term(
        "Joined key",
        "Several fields joined into one text, separated by “/”. Inside the parts, “/” and “%” are escaped, "
        "so different rows never get the same key.",
    ),
    "partition": Term(
        "Partition", "A part of a collection with a name. A search in one partition reads only its rows."
    ),
    "named_partitions": Term(
        "Named partitions",
        "One partition for each value of a field, named after the value: at most about a thousand. A search "
        "can be limited to some of them. If there are more values, use a partition key.",
    ),
    "partition_key": Term(
        "Partition key",
        "An INT64 or VARCHAR field, never null, by whose values Milvus distributes the rows over partitions. "
        "A search that filters by this field reads fewer rows.",
    ),
    "field": Term(
        "Field",
        "A column of the collection. On the left is the field of the source, on the right the field that it"
        " becomes. A field that is not selected is left out.",
    ),
    "type": Term(
        "Type",
        "The type of the field in Milvus. A text (VARCHAR) has a maximum length in bytes, an ARRAY a "
        "maximum number of items. A high limit costs next to nothing; a row beyond it is rejected.",
    ),
    "options": Term(
        "Options",
        "Nullable: the field may be empty (NULL). Default: the value of rows that have none. Too long: "
        "whether a longer text is truncated or its row is rejected. Type mismatch: what happens to a value "
        "that does not fit the type. No vector: what happens to a row that lacks the vector.",
    ),
    "nullable": Term(
        "Nullable",
        "The field may be empty (NULL). If it may not, choose what happens to NULL: it goes into the "
        "dynamic field, is replaced by a value, or its row is rejected.",
    ),
    "default": Term("Default value", "The value that Milvus stores in rows that have no value."),
    "type_mismatch": Term(
        "Type mismatch",
        "A value that does not fit the type of its field, such as a text in a number field. It goes into "
        "the dynamic field or its row is rejected. It is never changed silently.",
    ),
    "dynamic_field": Term(
        "Dynamic field",
        "A JSON field of the collection ($meta) for keys that have no field of their own. Filters can use "
        "these keys like fields.",
    ),
    "document_keys": Term(
        "Opened column",
        "A column of JSON objects whose keys become fields, one by one. All other keys go into the dynamic "
        "field or are left out.",
    ),
    "metric": Term(
        "Metric",
        "How Milvus measures the similarity of two vectors: COSINE (angle), IP (inner product) or L2 "
        "(Euclidean distance). Use the metric that your embedding model was made for; a wrong one gives "
        "worse results without an error.",
    ),
    "index": Term(
        "Index",
        "Without an index, a collection cannot be loaded or searched. It can be created after the rows are "
        "moved, also later from the page of the job.",
    ),
    "autoindex": Term(
        "AUTOINDEX",
        "How Milvus finds near vectors. With AUTOINDEX, Milvus chooses the kind and its parameters: a good "
        "choice unless you know that you need another kind.",
    ),
    "load": Term(
        "Load",
        "Milvus searches only collections that are loaded into memory. A loaded collection uses memory of "
        "the cluster until it is released.",
    ),
    "shards": Term(
        "Shards",
        "The number of channels that Milvus writes a collection through. It cannot be changed later. One is"
        " enough for up to about 200 million rows of 768 dimensions.",
    ),
    "if_exists": Term(
        "If the collection exists",
        "Stop: nothing is written. Add: the rows go into it, and the schemas must agree. Replace: it is "
        "dropped with all its rows; you are asked before that.",
    ),
    "full_text": Term(
        "Full-text search",
        "The target makes a sparse vector from the words of a text field (BM25), so that the text can be "
        "searched by its words. It needs Milvus 2.5 or later.",
    ),
    "analyzer": Term(
        "Analyzer",
        "Splits a text into words. “standard” splits at spaces and punctuation, “english” also treats "
        "“ships” like “ship”, “chinese” knows Chinese words.",
    ),
    "consistency": Term(
        "Consistency level",
        "How new the data is that a search sees. “Strong” sees every row that was written before it; "
        "“Bounded” may miss the rows of the last seconds and is faster.",
    ),
    "exact_copy": Term(
        "Exact copy",
        "The new collection has the unchanged schema of the source, which is a Milvus itself. Only the name"
        " and the description can be changed, and full-text search can be added.",
    ),
    "trial": Term(
        "Trial",
        "Moves only the first rows of each collection, into new collections whose names end with _trial. If "
        "the result is right, everything is moved from the page of the job.",
    ),
    "rate_limit": Term(
        "Maximum rows read per second",
        "Protects a source that serves other users. All workers of the job share this limit.",
    ),
    "count_check": Term(
        "Count check",
        "At the end, the rows in the target are compared with the rows that were read, and these with the "
        "rows of the source. A difference that nothing explains fails the job.",
    ),
    "job": Term("Job", "One run of a migration. It continues if you close the browser or if a worker dies."),
    "worker": Term(
        "Worker",
        "The process that moves the rows: manage.py worker. Several workers on several hosts share the jobs.",
    ),
    "slice": Term(
        "Slice",
        "A part of a collection that is moved independently. Several slices are moved in parallel; after an"
        " interruption, each continues from its last checkpoint.",
    ),
    "in_flight": Term("In flight", "Rows that were sent to the target and are not confirmed yet."),
    "rejected": Term(
        "Rejected, skipped, collapsed",
        "Rejected: a row that could not be moved; it is stored with the reason. Skipped: a row that the "
        "plan leaves out, for example because it has no vector; it is only counted. Collapsed: a row whose "
        "key occurred again; the last row of each key stays.",
    ),
    "stage": Term(
        "Stage",
        "A job prepares (checks, creates the collections), moves the rows, verifies the counts and, if "
        "asked, creates indexes and loads the collections.",
    ),
    "plan": Term(
        "Plan",
        "Everything that the wizard asked, as a file. manage.py runplan runs it without the browser.",
    ),
}

# The name of a field in the console's own forms -> its term. A connector names the term of a setting in
# ``json_schema_extra``.
OF_FIELDS = {
    "target": "collection",
    "database": "database",
    "key": "primary_key",
    "partition_key": "partition_key",
    "partition_by": "named_partitions",
    "if_exists": "if_exists",
    "shards": "shards",
    "rest": "document_keys",
    "dynamic_field": "dynamic_field",
    "keep_source_key": "auto_id",
    "limit_rows": "trial",
    "source_rows_per_second": "rate_limit",
    "create_index": "index",
    "load": "load",
    "verify": "count_check",
    "max_rejected": "rejected",
    "max_skipped": "rejected",
}
