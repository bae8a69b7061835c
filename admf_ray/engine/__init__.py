"""Engines: the compiled simulation and the sweep over it."""
