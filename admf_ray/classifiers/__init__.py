"""stub"""

from admf_ray.classifiers.registry import CLASSIFIERS, Classifier

__all__ = ["CLASSIFIERS", "Classifier"]
