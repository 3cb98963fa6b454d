"""Benchmarks for `make bench`: they never run as tests, and only ratios within one run count."""
