"""Points, normals and data: requests, where points come from, and the store that holds them."""
