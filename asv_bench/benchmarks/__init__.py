"""asv's benchmarks. Names and parameters are an API: add to them, never edit them."""
