"""Geometries of the shapes that have a constructor, drawn ones and CAD files."""
