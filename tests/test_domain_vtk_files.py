"""VTK's formats, old and XML: files of PyVista and of VTK itself, all kinds of cells, and damaged files."""

from pathlib import Path

import numpy as np
import pytest

from jno.domain import domain
from jno.domain.mesh import MeshFileError

# Written by PyVista 0.49 and VTK 9.7: a voxel, a hexahedron, two wedges that fill a cube, a pyramid, a tetrahedron;
# version2.vtu has a Lagrange hexahedron of order 3 besides. The voxel is marked by the cell data "tag:left cube".
DATA = Path(__file__).parent / "data"
VOLUME = 3 + 1 / 3 + 1 / 6


def measure(d, tag="interior"):
    return d.quadrature(tag).weights.sum()


@pytest.mark.parametrize(
    "file", ["pyvista.vtk", "pyvista_text.vtk", "vtk42.vtk", "raw.vtu", "base64.vtu", "inline.vtu"]
)
def test_files_of_pyvista_and_vtk(file, capfd):
    d = domain(DATA / file)
    assert capfd.readouterr().out == ""
    assert d.points.shape == (33, 3)
    assert len(d.mesh.cells) == 6 + 6 + 6 + 2 + 1
    assert measure(d) == pytest.approx(VOLUME)
    assert measure(d, "boundary") == pytest.approx(18 + 1 + 4 * np.sqrt(5) / 4 + 1.5 + np.sqrt(3) / 2)
    assert d.available_mesh_tags == ["interior", "boundary", "left cube"]
    assert measure(d, "left cube") == pytest.approx(1.0)
    assert d._mesh_pool["left cube"].max() == 1.0


def test_version_2_with_a_cell_of_order_3(capfd):
    d = domain(DATA / "version2.vtu")
    assert capfd.readouterr().out.count("of second or higher order (hexahedron)") == 1
    assert measure(d) == pytest.approx(VOLUME + 1)
    assert d.points.shape == (41, 3)


def test_lz4_is_named():
    try:
        import lz4.block  # noqa: F401
    except ImportError:
        with pytest.raises(
            ImportError, match=r"lz4.vtu' is compressed with LZ4: pip install lz4, or save it with zlib"
        ):
            domain(DATA / "lz4.vtu")
    else:
        assert measure(domain(DATA / "lz4.vtu")) == pytest.approx(VOLUME)


def vtu(pieces, version="0.1", kind="UnstructuredGrid", appended=""):
    """An XML file of pieces `(points, cells, types, further sections)`."""
    body = ""
    for points, cells, types, more in pieces:
        ends = np.cumsum([len(cell) for cell in cells])
        arrays = {"connectivity": np.concatenate(cells).astype(int), "offsets": ends, "types": types}
        body += f'<Piece NumberOfPoints="{len(points)}" NumberOfCells="{len(cells)}">{more}<Points>'
        body += f'<DataArray type="Float64" NumberOfComponents="3" format="ascii">{words(points)}</DataArray>'
        body += "</Points><Cells>"
        for name, values in arrays.items():
            body += f'<DataArray type="Int64" Name="{name}" format="ascii">{words(values)}</DataArray>'
        body += "</Cells></Piece>"
    return f'<VTKFile type="{kind}" version="{version}"><UnstructuredGrid>{body}</UnstructuredGrid>{appended}</VTKFile>'


def words(values):
    return " ".join(str(value) for value in np.ravel(values))


def read(tmp_path, text, ending="vtu"):
    path = tmp_path / f"m.{ending}"
    path.write_text(text)
    return domain(path)


GRID = np.array([[x, y, 0.0] for y in range(2) for x in range(4)])


@pytest.mark.parametrize("version", ["0.1", "1.0", "2.0", "2.3"])
@pytest.mark.parametrize(
    ("cells", "types", "area"),
    [
        ([[0, 1, 4, 5]], [8], 1),  # a pixel: row by row
        ([[0, 1, 5, 4], [1, 2, 5, 6]], [9, 8], 2),
        ([[0, 4, 1, 5, 2, 6]], [6], 2),  # a strip of triangles
        ([[0, 1, 5, 4], [1, 2, 6]], [7, 7], 1.5),  # polygons
        ([[0, 1, 5, 4], [], [0, 1]], [9, 0, 3], 1),
    ],
)
def test_kinds_of_cells_in_the_plane(tmp_path, version, cells, types, area):
    d = read(tmp_path, vtu([(GRID, cells, types, "")], version))
    assert measure(d) == pytest.approx(area)


def test_lines_of_several_points(tmp_path):
    points = np.pad(np.arange(4.0)[:, None], ((0, 0), (0, 2)))
    assert measure(read(tmp_path, vtu([(points, [[0, 1, 2, 3], [0, 3]], [4, 2], "")]))) == pytest.approx(3)


@pytest.mark.parametrize(
    ("cell", "number", "name"),
    [
        ([0, 1, 2, 6, 5, 4], 7, "polygon"),
        (range(8), 42, "polyhedron"),
        (range(8), 16, "hexagonal prism"),
        ([0], 99, "unk"),
    ],
)
def test_other_kinds_of_cells_are_refused_by_name(tmp_path, cell, number, name):
    with pytest.raises(MeshFileError, match=rf"m.vtu' has 1 cells of the kind {name}.*VTK's type {number}.* Divide"):
        read(tmp_path, vtu([(GRID, [[0, 1, 5, 4], list(cell)], [9, number], "")]))


def test_all_pieces_are_read_without_their_ghosts(tmp_path, capfd):
    """Two pieces with points of their own; the second repeats the first one's cell as a ghost."""
    ghosts = '<CellData><DataArray type="UInt8" Name="vtkGhostType" format="ascii">{}</DataArray></CellData>'
    first = (GRID, [[0, 1, 5, 4], [1, 2, 6, 5]], [9, 9], ghosts.format("0 0"))
    second = (GRID, [[1, 2, 6, 5], [2, 3, 7, 6]], [9, 9], ghosts.format("1 0"))
    d = read(tmp_path, vtu([first, second]))
    assert measure(d) == pytest.approx(3)
    assert len(d.mesh.cells) == 6
    assert "2 of 10 boundary edges lie inside" in capfd.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('NumberOfCells="1"', 'NumberOfCells="2"', "a Piece announces 2 cells and holds 1"),
        ('NumberOfPoints="8"', 'NumberOfPoints="9"', "cannot reshape"),
        (">4<", ">5<", "the offsets count"),
        ('Name="types"', 'Name="kinds"', "need connectivity, offsets and types"),
        ('type="Int64"', 'type="Int65"', "arrays cannot have the type 'Int65'"),
        ("</Cells>", "", "mismatched tag"),
        ("UnstructuredGrid", "PolyData", "holds 'PolyData', not an 'UnstructuredGrid'.*cast_to_unstructured_grid"),
    ],
)
def test_damaged_xml(tmp_path, old, new, message):
    text = vtu([(GRID, [[0, 1, 5, 4]], [9], "")])
    assert old in text
    with pytest.raises(MeshFileError, match=rf"m.vtu'.*{message}"):
        read(tmp_path, text.replace(old, new))


@pytest.mark.parametrize(
    "file", ["raw.vtu", "base64.vtu", "inline.vtu", "pyvista.vtk", "pyvista_text.vtk", "vtk42.vtk"]
)
def test_cut_files_are_refused(tmp_path, file):
    whole = (DATA / file).read_bytes()
    path = tmp_path / file
    end = whole.rfind(b"CELL_TYPES") + 28 if file.endswith("vtk") else len(whole) - 2
    for length in np.linspace(30, end, 12).astype(int):
        path.write_bytes(whole[:length])
        with pytest.raises(MeshFileError, match=rf"{file}' (is|has)"):
            domain(path)


# -- the old format ----
HEAD = "# vtk DataFile Version {}\na title\nASCII\nDATASET "
POINTS = "POINTS 8 float\n" + words(GRID) + "\n"


@pytest.mark.parametrize("version", ["2.0", "3.0", "4.2", "5.1"])
@pytest.mark.parametrize(
    ("body", "area"),
    [
        ("UNSTRUCTURED_GRID\n" + POINTS + "CELLS 2 9\n4 0 1 5 4\n3 1 2 6\nCELL_TYPES 2\n9\n5\n", 1.5),
        ("UNSTRUCTURED_GRID\n" + POINTS + "CELLS 1 5\n4 0 1 4 5\nCELL_TYPES 1\n8\n", 1),
        ("POLYDATA\n" + POINTS + "LINES 1 3\n2 0 1\nPOLYGONS 1 5\n4 0 1 5 4\nTRIANGLE_STRIPS 1 5\n4 1 5 2 6\n", 2),
        ("STRUCTURED_GRID\nDIMENSIONS 4 2 1\n" + POINTS, 3),
        ("STRUCTURED_POINTS\nDIMENSIONS 4 3 1\nORIGIN 1 1 0\nSPACING 0.5 2 1\n", 6),
        ("STRUCTURED_POINTS\nDIMENSIONS 4 3 1\nORIGIN 1 1 0\nASPECT_RATIO 0.5 2 1\n", 6),
        (
            "RECTILINEAR_GRID\nDIMENSIONS 3 2 1\nX_COORDINATES 3 float\n0 1 4\nY_COORDINATES 2 double\n0 .5\n"
            "Z_COORDINATES 1 int\n0\n",
            2,
        ),
    ],
)
def test_datasets_of_the_old_format(tmp_path, version, body, area):
    assert measure(read(tmp_path, HEAD.format(version) + body, "vtk")) == pytest.approx(area)


def test_a_structured_grid_in_space(tmp_path):
    d = read(tmp_path, HEAD.format("3.0") + "STRUCTURED_POINTS\nDIMENSIONS 2 3 4\nSPACING 1 2 3\n", "vtk")
    assert len(d.mesh.cells) == 6 * 6
    assert measure(d) == pytest.approx(1 * 4 * 9)


def test_all_kinds_of_data_are_skipped_and_marks_are_read(tmp_path):
    cells = "UNSTRUCTURED_GRID\nFIELD FieldData 2\nnote 1 2 string\ntwo%20words\nx\ntime 1 1 double\n0.5\n"
    cells += POINTS + "METADATA\nINFORMATION 1\nNAME L2 LOCATION x\nDATA 2 0 1\n\nCELLS 2 8\n3 0 1 5\n3 0 5 4\n"
    cells += "CELL_TYPES 2\n5\n5\nCELL_DATA 2\nSCALARS a int\nLOOKUP_TABLE t\n1 2\nLOOKUP_TABLE t 1\n0 0 0 1\n"
    cells += "VECTORS v float\n1 2 3 4 5 6\nTENSORS s float\n" + 18 * "1 " + "\nCOLOR_SCALARS c 2\n0 0 1 1\n"
    cells += "FIELD data 2\ntag:upper%20half 1 2 int\n0 1\nMETADATA\nCOMPONENT_NAMES\nn\n\nother 2 2 char\n1 2 3 4\n"
    points = "POINT_DATA 8\nNORMALS n float\n" + 24 * "0 " + "\nTEXTURE_COORDINATES t 2 float\n" + 16 * "0 " + "\n"
    points += "GLOBAL_IDS g vtkIdType\n" + words(range(8)) + "\nSCALARS tag:pin float 1\nLOOKUP_TABLE default\n"
    d = read(tmp_path, HEAD.format("3.0") + cells + points + "1 0 0 0 0 0 0 0\n", "vtk")
    assert d.available_mesh_tags == ["interior", "boundary", "upper half", "pin"]
    assert measure(d, "upper half") == pytest.approx(0.5)
    assert d._mesh_pool["pin"].tolist() == [[0.0, 0.0]]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("# vtk", "# VTC", "the first line is not '# vtk DataFile Version'"),
        ("ASCII", "TEXT", "must be ASCII or BINARY, not 'TEXT'"),
        ("UNSTRUCTURED_GRID", "TABLE", "DATASET 'TABLE' is none of UNSTRUCTURED_GRID"),
        ("CELLS 2 9", "CELLS 3 9", "index"),
        ("CELLS 2 9", "CELLS 2 8", "8 numbers announced, 9 in the lines"),
        ("CELL_TYPES 2", "CELL_TYPES 3", "3 numbers announced, 2 left"),
        ("float", "string16", "string16"),
        ("\n9\n5\n", "\n9\n", "2 numbers announced, 1 left"),
        ("CELL_TYPES", "CELL_KINDS", "unknown section 'CELL_KINDS'"),
        ("4 0 1 5 4", "4 0 1 5 44", "refers to a node that does not exist"),
    ],
)
def test_damaged_files_of_the_old_format(tmp_path, old, new, message):
    text = HEAD.format("3.0") + "UNSTRUCTURED_GRID\n" + POINTS
    text += "CELLS 2 9\n4 0 1 5 4\n3 1 2 6\nCELL_TYPES 2\n9\n5\n"
    assert old in text
    with pytest.raises(MeshFileError, match=rf"m.vtk' is corrupt.*{message}"):
        read(tmp_path, text.replace(old, new), "vtk")
