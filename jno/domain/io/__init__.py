"""Files: meshes read and written, pictures."""

from ._exports import PathLike as PathLike
from ._exports import export as export
from ._exports import export_interactive_html as export_interactive_html
from ._exports import export_msh as export_msh
from ._exports import export_vtk as export_vtk
from ._exports import plot as plot
from ._exports import plot_mesh as plot_mesh
from ._markup import markup as markup
from ._mesh_files import from_meshio as from_meshio
from ._mesh_files import import_meshio as import_meshio
from ._mesh_files import load_mesh as load_mesh
from ._mesh_files import meshio_mesh as meshio_mesh
from ._summary import summary as summary
