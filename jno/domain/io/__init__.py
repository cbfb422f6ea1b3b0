"""Files: meshes read and written, pictures."""
