"""Rolling indicators: a fixed window of the newest bars, updated in constant time a bar where that stays accurate.

A value is NaN while its window holds a missing bar, and comes back afterwards; it is never infinite.
"""
