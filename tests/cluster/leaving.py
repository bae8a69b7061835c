"""A module that ends every host that imports it."""

import os

import psutil

if psutil.Process().name().startswith("ray::Host"):
    os._exit(3)
