"""Ensembles: the targets of several strategies become one."""

from admf_ray.ensembles.registry import ENSEMBLES, Ensemble

__all__ = ["ENSEMBLES", "Ensemble"]
