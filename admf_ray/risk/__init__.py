"""Risk: from targets to quantities."""
