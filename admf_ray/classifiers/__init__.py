"""Classifiers: indicators in, market regimes out; one file for each."""

from admf_ray.classifiers import hmm, pattern, trend, trend_chop_volatile, volatility  # noqa: F401  (they register)
from admf_ray.classifiers.registry import CLASSIFIERS, Classifier

__all__ = ["CLASSIFIERS", "Classifier"]
