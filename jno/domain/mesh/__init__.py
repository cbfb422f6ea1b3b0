"""Simplicial meshes: nodes, cells, facets, tags, quadrature and what follows from them."""
