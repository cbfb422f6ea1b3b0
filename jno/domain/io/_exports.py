"""Writing a domain to files: meshes, solutions, pictures."""

from __future__ import annotations

import os
import warnings
from typing import TypeAlias, TypeVar

from jno.utils import FLAG, PATH, POSITIVE, TEXT, checked, user_path

from ..mesh import Mesh
from ..sampling import DomainView
from ._html_plots import write_html
from ._mesh_export import write_msh, write_vtk
from ._plots import PlottedPoints, checked_figsize, draw_mesh, draw_points
from ._solution_export import checked_fields, write_series, write_solution

D = TypeVar("D", bound=DomainView)

_KINDS = {
    **dict.fromkeys(("png", "jpg", "jpeg", "svg", "pdf"), "picture"),
    **dict.fromkeys(("vtk", "vtu"), "vtk"),
    **dict.fromkeys(("msh", "gmsh"), "msh"),
    **dict.fromkeys(("html", "htm"), "html"),
    "pvd": "series",
}
_SIZE = (10.0, 8.0)
PathLike: TypeAlias = str | os.PathLike[str]


@checked(path=PATH, fmt=TEXT, show_sampled=FLAG)
def export(
    self: D,
    path: PathLike,
    fmt: str | None = None,
    show_sampled: bool = True,
    figsize: object = _SIZE,
    *,
    fields: object = None,
    times: object = None,
) -> D:
    """Write the mesh, with fields on it if wanted; directories are made as needed.

    Reading a `.msh` or `.vtu` file with `jno.domain(path)` gives the same points and tags again. In VTK files
    the tags are 0/1 data `tag:<name>` on cells and facets.

    Args:
        path: the file. Its extension chooses the format: `.msh` (gmsh 4.1 text), `.vtu`, `.vtk`, `.pvd` (a time
            series: the collection and one `.vtu` per time level beside it), `.html` (needs plotly), or a picture
            `.png`, `.jpg`, `.svg`, `.pdf`.
        fmt: the format instead, e.g. `"vtu"` or `"gmsh"`.
        show_sampled: draw the sampled points in pictures (true).
        figsize: width and height of pictures in inches (`(10, 8)`).
        fields: name -> values, for `.vtu`, `.vtk` and `.pvd` only. Values at all nodes, or one per cell, of shape
            `(N,)` or `(N, C)`, in a time series also `(T, N)` or `(T, N, C)`; leading axes of length one are
            dropped. Two components are written as a vector with a third component zero.
        times: the `T` times of a series (those of the domain, `0, 1, …` for a steady one).

    Returns:
        The domain.

    Raises:
        ValueError: no mesh, an unsupported format, or fields that do not fit the mesh.
        ImportError: meshio (VTK formats) or plotly (HTML) is not installed.

    Example:
        >>> import tempfile, jno
        >>> d = jno.domain.rect(mesh_size=0.5)
        >>> file = tempfile.mkdtemp() + "/square.vtu"
        >>> jno.domain(d.export(file, fields={"u": d.points[:, 0]}) and file).boundary_tags() == d.boundary_tags()
        True
    """
    target, size = user_path(path), checked_figsize(figsize)
    name = (target.suffix if fmt is None else fmt).lower().lstrip(".")
    kind = _KINDS.get(name)
    if kind is None:
        raise ValueError(f"Unsupported export format {name!r} for {os.fspath(path)!r}; known are {sorted(_KINDS)}.")
    mesh = _mesh_to_export(self)
    if (fields is not None or times is not None) and kind not in ("vtk", "series"):
        raise ValueError(f"fields= and times= can be written to .vtu, .vtk and .pvd files only; got {name!r}.")
    if times is not None and kind != "series":
        raise ValueError(f"times= belongs to a time series; export to a .pvd file instead of {name!r}.")
    values = {} if fields is None else fields
    match kind:
        case "picture":
            plot_mesh(self, target, size, show_sampled)
        case "html":
            export_interactive_html(self, target, show_sampled)
        case "msh":
            write_msh(target, self.geometry, mesh)
        case "vtk":
            write_solution(target, name, self.geometry, mesh, checked_fields(values, mesh))
        case _:
            levels = None if self.time_axis is None else self.time_axis.levels.tolist()
            write_series(target, self.geometry, mesh, checked_fields(values, mesh), times=times, levels=levels)
    return self


@checked(save_path=PATH, file_format=TEXT)
def export_vtk(self: D, save_path: PathLike = "./runs/domain.vtk", file_format: str | None = None) -> D:
    """Write a `.vtk` or `.vtu` file with the tags as 0/1 data; see `export`.

    Args:
        save_path: the file (`./runs/domain.vtk`).
        file_format: `"vtk"` or `"vtu"` (by the extension).

    Returns:
        The domain.

    Raises:
        ValueError: no mesh, or another format.

    Example:
        >>> import tempfile, jno
        >>> file = tempfile.mkdtemp() + "/line.vtk"
        >>> len(jno.domain(jno.domain.line().export_vtk(file) and file).points)
        11
    """
    target = user_path(save_path)
    kind = (target.suffix.lstrip(".") if file_format is None else file_format).lower()
    if kind not in ("vtk", "vtu"):
        raise ValueError(f"Unsupported export format {kind!r} of export_vtk; it writes 'vtk' and 'vtu'.")
    mesh = _mesh_to_export(self)
    write_vtk(target, kind, self.geometry, mesh)
    return self


@checked(save_path=PATH)
def export_msh(self: D, save_path: PathLike = "./runs/domain.msh") -> D:
    """Write a gmsh 4.1 text file with the tags as physical groups.

    Args:
        save_path: the file (`./runs/domain.msh`).

    Returns:
        The domain.

    Raises:
        ValueError: no mesh.

    Example:
        >>> import tempfile, jno
        >>> file = tempfile.mkdtemp() + "/line.msh"
        >>> jno.domain(jno.domain.line().export_msh(file) and file).boundary_tags()
        ['boundary', 'left', 'right']
    """
    return export(self, save_path, "msh")


@checked(save_path=PATH, show_sampled=FLAG)
def export_interactive_html(self: D, save_path: PathLike = "./runs/domain.html", show_sampled: bool = True) -> D:
    """Write a page with the mesh to turn and zoom; needs plotly (`pip install 'jno-jax[viz]'`).

    Args:
        save_path: the file (`./runs/domain.html`).
        show_sampled: draw the sampled points (true).

    Returns:
        The domain.

    Raises:
        ValueError: no mesh.
        ImportError: plotly is not installed.

    Example:
        >>> import jno
        >>> jno.domain.line().export_interactive_html("line.html")  # doctest: +SKIP
    """
    write_html(user_path(save_path), _mesh_to_export(self), _point_sets(self) if show_sampled else {})
    return self


@checked(save_path=PATH, show_sampled=FLAG)
def plot_mesh(
    self: D, save_path: PathLike = "./runs/domain_mesh.png", figsize: object = _SIZE, show_sampled: bool = True
) -> D:
    """Draw the mesh, its boundary and the sampled points.

    Args:
        save_path: picture file, `.png`, `.svg`, `.pdf`, … (`./runs/domain_mesh.png`).
        figsize: width and height in inches (`(10, 8)`).
        show_sampled: draw the sampled points of the first batch row and time level (true).

    Returns:
        The domain.

    Raises:
        ValueError: no mesh, a size that is not allowed, or a file type that matplotlib does not know.

    Example:
        >>> import tempfile, jno
        >>> _ = jno.domain.rect().plot_mesh(tempfile.mkdtemp() + "/rect.png")
    """
    draw_mesh(
        user_path(save_path),
        checked_figsize(figsize),
        _mesh_to_export(self),
        _point_sets(self) if show_sampled else {},
    )
    return self


@checked(save_path=PATH, show_normals=FLAG, arrow_scale=POSITIVE, interactive=FLAG)
def plot(
    self: D,
    save_path: PathLike = "./runs/domain.png",
    figsize: object = _SIZE,
    show_normals: bool = True,
    arrow_scale: float = 0.05,
    interactive: bool = False,
) -> D:
    """Draw the sampled points of every tag (first batch row and time level), with normals as arrows.

    Nothing is written, with a warning, when nothing has been sampled.

    Args:
        save_path: picture file (`./runs/domain.png`). An `.html` file is interactive.
        figsize: width and height in inches (`(10, 8)`).
        show_normals: draw the normals that have been sampled (true).
        arrow_scale: length of the arrows as a share of the size of the domain (0.05).
        interactive: write an `.html` file of the same name instead; needs plotly.

    Returns:
        The domain.

    Raises:
        ValueError: a size that is not allowed, or a file type that matplotlib does not know.
        ImportError: plotly is not installed.

    Example:
        >>> import tempfile, jno
        >>> d = jno.domain.rect()
        >>> _ = d.variable("left", normals=True)
        >>> _ = d.plot(tempfile.mkdtemp() + "/left.png")
    """
    target, sets, size = user_path(save_path), _point_sets(self), checked_figsize(figsize)
    if not sets:
        warnings.warn("Nothing has been sampled, so there is nothing to plot.", UserWarning, stacklevel=2)
    elif interactive or target.suffix.lower() in (".html", ".htm"):
        page = target if target.suffix.lower() in (".html", ".htm") else target.with_suffix(".html")
        write_html(page, None, sets)
    else:
        draw_points(target, size, sets, show_normals=show_normals, arrow_scale=arrow_scale)
    return self


def _mesh_to_export(domain: DomainView) -> Mesh:
    if domain.geometry.mesh is None:
        raise ValueError(
            "This domain has no mesh to export; plot() draws its sampled points, and np.savetxt writes points with "
            "their values as a .csv file, which ParaView opens."
        )
    return domain.geometry.mesh


def _point_sets(domain: DomainView) -> dict[str, PlottedPoints]:
    sets = {}
    for record in domain.samples.records:
        normals = domain.context[record.normal_tag][0, 0] if record.normals else None
        sets[record.tag] = PlottedPoints(domain.context[record.tag][0, 0], normals)
    return sets
