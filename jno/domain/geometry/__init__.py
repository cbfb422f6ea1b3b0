"""What a domain is made of: points, a mesh or regions of a shape, and tags."""
