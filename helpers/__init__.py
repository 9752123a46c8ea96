"""Plumbing for the lessons: find pictures, build networks, train them, look, measure.

The modules are flat and each says in its name what is in it; importing this package
loads none of them, so ``import helpers`` is instant and TensorFlow starts only when a
module that needs it is imported.
"""

__version__ = "0.1.0"
