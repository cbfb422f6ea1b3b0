"""Functions of the position: distances, coefficients by region, interpolants."""
