"""Execution: what fills cost, and what the cash pays for."""
