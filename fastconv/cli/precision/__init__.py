"""``fastconv precision``: one trained net in every precision."""
