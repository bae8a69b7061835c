"""Executors: where chunks of work are computed; knows no trading."""

from admf_ray.cluster.serial import SerialExecutor

__all__ = ["SerialExecutor"]
