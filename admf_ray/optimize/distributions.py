"""The space of a search as Optuna knows it."""

import math
from decimal import Decimal

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution

from admf_ray.optimize.space import Dimension, DrawnRange, Space

__all__ = ["distributions_of"]


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """Give what each parameter may be that has more than one value.

    Examples
    --------
    >>> from admf_ray.optimize.space import plan_space
    >>> from admf_ray.strategies import STRATEGIES
    >>> distributions_of(plan_space(STRATEGIES["sma_cross"], {"slow": 50}, {"fast": DrawnRange(2, 9, 3)}))
    {'fast': IntDistribution(high=8, log=False, low=2, step=3)}
    """
    return {one.parameter.name: _distribution(one) for one in space.dimensions if one.fixed is None}


def _distribution(dimension: Dimension) -> BaseDistribution:
    span = dimension.span
    if not isinstance(span, DrawnRange):
        return CategoricalDistribution(span.tolist())
    if dimension.parameter.kind == "int" and (span.step is None or span.step == int(span.step)):
        step = 1 if span.step is None else int(span.step)
        first = int(span.low)
        return IntDistribution(first, first + (int(span.high) - first) // step * step, span.log, step)
    high = span.high
    if span.step is not None:
        # The highest step, in decimals: Optuna warns of a range that is not made of whole ones.
        low, top, one = (Decimal(str(number)) for number in (span.low, span.high, span.step))
        high = float(low + math.floor((top - low) / one) * one)
    return FloatDistribution(span.low, high, span.log, span.step)
