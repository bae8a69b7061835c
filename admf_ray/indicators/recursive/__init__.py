"""Recursive indicators: the new value comes from the previous one and this bar.

They keep their state over a missing bar and give NaN there.
"""
