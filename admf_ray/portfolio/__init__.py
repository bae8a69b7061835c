"""The portfolio: account, trades, metrics."""
