"""View factors between boundaries of the plane."""
