"""Measurements behind the figures that the lessons and the README state."""
