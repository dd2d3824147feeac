"""``fastconv demo``: a network, a photograph, and the textbook beside fastconv."""
