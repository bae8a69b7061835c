"""Figures with the bars they are held against; Ray without tokens, which must be said before it is imported."""

import os

os.environ.setdefault("RAY_AUTH_MODE", "disabled")
