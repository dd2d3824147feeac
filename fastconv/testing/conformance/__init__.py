"""The tests that a backend must pass; ``--pyargs fastconv.testing.conformance`` runs them."""
