from benchmarks.postgres_to_milvus import main

main()
