"""What `make bench` measures: never in a test, always as ratios of one run."""
