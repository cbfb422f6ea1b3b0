"""Polygons: set operations, exact sampling, meshes that conform to regions."""
