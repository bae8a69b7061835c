"""Seeds: every random number comes out of the run's seed and the name of what it is drawn for."""

from hashlib import sha256

import numpy as np

__all__ = ["generator", "seed_of"]


def _sequence(seed: int, keys: tuple[str | int, ...]) -> np.random.SeedSequence:
    # Texts and numbers are kept apart, and so are neighbours.
    digest = sha256("\0".join(f"{type(key).__name__}:{key}" for key in keys).encode()).digest()
    return np.random.SeedSequence(seed, spawn_key=tuple(np.frombuffer(digest, dtype="<u4").tolist()))


def generator(seed: int, *keys: str | int) -> np.random.Generator:
    """Give the generator of one purpose: the same for equal seeds and keys, in whatever process and order.

    Parameters
    ----------
    seed : int
        Of the run, from 0 on.
    *keys : str or int
        Phase, window, batch, ...; never anything about who computes.

    Examples
    --------
    >>> bool(generator(7, "discovery", 3).integers(100) == generator(7, "discovery", 3).integers(100))
    True
    """
    return np.random.default_rng(_sequence(seed, keys))


def seed_of(seed: int, *keys: str | int) -> int:
    """Give a 32-bit seed for a library that takes a number; parameters as in `generator`."""
    return int(_sequence(seed, keys).generate_state(1)[0])
