"""Reading mesh files."""

from ._load import load_mesh as load_mesh
from ._meshio_reader import from_meshio as from_meshio
from ._meshio_reader import import_meshio as import_meshio
from ._meshio_reader import meshio_mesh as meshio_mesh
from ._vtk_cells import TAG_PREFIX as TAG_PREFIX
