"""Benchmarks: asv's suite in `benchmarks`, and a comparison in one run by ``-m asv_bench``."""
