"""Mesh files: gmsh, VTK, Abaqus, MED and others, their named sets as tags, and files that cannot be used."""

import sys

import gmsh
import meshio
import numpy as np
import pytest
from helpers import function_calls
from meshes import gmsh_session

from jno.domain import domain
from jno.domain.geometry import build_geometry
from jno.domain.io._mesh_files._meshio_reader import from_meshio

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.5]])
TRIANGLES = np.array([[0, 1, 4], [1, 2, 4], [2, 3, 4], [3, 0, 4]])
EDGES = np.array([[0, 1], [1, 2], [2, 3], [3, 0]])


def measure(d, tag):
    return d.quadrature(tag).weights.sum()


def square_mesh(points=None, cells=None, **data):
    """Four triangles about the middle of the unit square, and its four sides."""
    blocks = [("triangle", TRIANGLES), ("line", EDGES)] if cells is None else cells
    return meshio.Mesh(SQUARE if points is None else points, blocks, **data)


def in_space(points):
    return np.pad(np.asarray(points, dtype=float), ((0, 0), (0, 3 - np.shape(points)[1])))


def write(path, mesh, **options):
    meshio.write(path, mesh, **options)
    return path


@pytest.fixture(scope="module")
def gmsh_files(tmp_path_factory):
    """[0, 1] x [0, 1] and [1, 3] x [0, 1] with physical groups of all dimensions, some overlapping, one nameless."""
    folder = tmp_path_factory.mktemp("gmsh")
    with gmsh_session():
        occ = gmsh.model.occ
        occ.fragment([(2, occ.addRectangle(0, 0, 0, 1, 1))], [(2, occ.addRectangle(1, 0, 0, 2, 1))])
        occ.synchronize()
        middles = {tag: occ.getCenterOfMass(1, tag) for _, tag in gmsh.model.getEntities(1)}
        inlet = [tag for tag, middle in middles.items() if abs(middle[0]) < 1e-9]
        bottom = [tag for tag, middle in middles.items() if abs(middle[1]) < 1e-9]
        top = [tag for tag, middle in middles.items() if abs(middle[1] - 1) < 1e-9]
        interface = [tag for tag, middle in middles.items() if abs(middle[0] - 1) < 1e-9]
        gmsh.model.addPhysicalGroup(2, [1], name="first half")
        gmsh.model.addPhysicalGroup(2, [1, 2], name="all")
        gmsh.model.addPhysicalGroup(1, inlet, name="inlet")
        gmsh.model.addPhysicalGroup(1, interface, name="interface")
        gmsh.model.addPhysicalGroup(1, bottom + inlet, name="low")
        gmsh.model.addPhysicalGroup(1, top, 99)
        gmsh.model.addPhysicalGroup(0, [1], name="pin")
        gmsh.option.setNumber("Mesh.MeshSizeMax", 0.25)
        gmsh.model.mesh.generate(2)
        for version, binary in ((2.2, 0), (2.2, 1), (4.1, 0), (4.1, 1)):
            gmsh.option.setNumber("Mesh.MshFileVersion", version)
            gmsh.option.setNumber("Mesh.Binary", binary)
            gmsh.write(str(folder / f"{version}-{binary}.msh"))
        gmsh.option.setNumber("Mesh.Binary", 0)
        gmsh.write(str(folder / "groups.med"))
        gmsh.write(str(folder / "groups.inp"))
        groups = gmsh.model.getPhysicalGroups()
        kept = [
            (group, gmsh.model.getPhysicalName(*group), gmsh.model.getEntitiesForPhysicalGroup(*group))
            for group in groups
        ]
        gmsh.model.removePhysicalGroups()
        gmsh.write(str(folder / "plain.med"))
        for (dimension, number), name, entities in kept:
            gmsh.model.addPhysicalGroup(dimension, entities, number, name)
        for version in (1, 4):
            gmsh.option.setNumber("Mesh.MshFileVersion", version)
            gmsh.write(str(folder / f"old-{version}.msh"))
        gmsh.option.setNumber("Mesh.MshFileVersion", 4.1)
        gmsh.option.setNumber("Mesh.SaveAll", 1)
        gmsh.write(str(folder / "all.msh"))
        gmsh.model.mesh.setOrder(2)
        gmsh.write(str(folder / "second.msh"))
        gmsh.option.setNumber("Mesh.MshFileVersion", 2.2)
        gmsh.write(str(folder / "second-2.2.msh"))
    return folder


# -- gmsh ----


@pytest.mark.parametrize("file", ["2.2-0.msh", "2.2-1.msh", "4.1-0.msh", "4.1-1.msh", "all.msh", "groups.med"])
def test_physical_groups_are_tags(gmsh_files, file):
    d = domain(str(gmsh_files / file))
    assert d.dimension == 2
    assert d.points.shape == (81, 2)
    nameless = "G_1D_99" if file.endswith("med") else "physical_99"
    assert d.available_mesh_tags[:2] == ["interior", "boundary"]
    assert set(d.available_mesh_tags[2:]) == {"first half", "all", "inlet", "interface", "low", nameless, "pin"}
    expected = {"interior": 3, "all": 3, "first half": 1, "boundary": 8, "inlet": 1, "low": 4, nameless: 3}
    assert {tag: measure(d, tag) for tag in expected} == pytest.approx(expected)
    assert np.allclose(d.normals_by_tag["inlet"], [-1.0, 0.0])
    assert np.allclose(d.normals_by_tag[nameless], [0.0, 1.0])
    assert d._mesh_pool["pin"].tolist() == [[0.0, 0.0]]
    assert 0.1 < d.ds <= 0.3


@pytest.mark.parametrize("file", ["2.2-0.msh", "4.1-0.msh", "groups.med"])
def test_an_interface_has_nodes_measure_and_one_normal(gmsh_files, file):
    d = domain(str(gmsh_files / file))
    assert np.allclose(d._mesh_pool["interface"][:, 0], 1.0)
    assert len(d._mesh_pool["interface"]) == 5
    assert measure(d, "interface") == pytest.approx(1.0)
    normals = d.normals_by_tag["interface"]
    assert np.allclose(np.abs(normals), [1.0, 0.0])
    assert np.allclose(normals, normals[0])


def test_abaqus_sets_of_gmsh(gmsh_files):
    d = domain(str(gmsh_files / "groups.inp"))
    assert measure(d, "first_half") == pytest.approx(1.0)
    assert measure(d, "low") == pytest.approx(4.0)
    assert np.allclose(d.normals_by_tag["inlet"], [-1.0, 0.0])


def test_pools_of_edges_follow_the_curve(gmsh_files):
    d = domain(str(gmsh_files / "4.1-0.msh"))
    loop = d._mesh_pool["boundary"]
    assert np.linalg.norm(np.roll(loop, -1, axis=0) - loop, axis=1).max() == pytest.approx(0.25)
    open_curve = d._mesh_pool["low"]
    assert len(open_curve) == 17
    assert np.linalg.norm(np.diff(open_curve, axis=0), axis=1).max() == pytest.approx(0.25)


@pytest.mark.parametrize("file", ["second.msh", "second-2.2.msh"])
def test_second_order_elements(gmsh_files, file, capfd):
    d = domain(gmsh_files / file)
    said = capfd.readouterr().out
    assert said.count("has elements of second or higher order (line, triangle); they are read with their corner") == 1
    assert d.points.shape == (81, 2)
    expected = {"interior": 3, "boundary": 8} if file == "second-2.2.msh" else {"first half": 1, "low": 4}
    assert {tag: measure(d, tag) for tag in expected} == pytest.approx(expected)


@pytest.mark.parametrize("binary", [False, True])
def test_gmsh_2_of_meshio(tmp_path, binary):
    data = {
        "gmsh:physical": [np.array([1, 1, 2, 2]), np.array([3, 3, 0, 0])],
        "gmsh:geometrical": [np.array([1, 1, 2, 2]), np.array([3, 3, 0, 0])],
    }
    names = {"lower": np.array([1, 2]), "upper": np.array([2, 2]), "corner": np.array([3, 1])}
    mesh = square_mesh(in_space(SQUARE), cell_data=data, field_data=names)
    d = domain(write(tmp_path / "m.msh", mesh, file_format="gmsh22", binary=binary))
    assert set(d.available_mesh_tags) == {"interior", "boundary", "lower", "upper", "corner"}
    assert [measure(d, tag) for tag in ("lower", "upper", "corner")] == pytest.approx([0.5, 0.5, 2.0])
    assert len(d._mesh_pool["corner"]) == 3


@pytest.mark.parametrize("binary", [False, True])
def test_gmsh_4_of_meshio_without_groups(tmp_path, binary):
    mesh = square_mesh(in_space(SQUARE), cells=[("triangle", TRIANGLES)])
    d = domain(write(tmp_path / "m.msh", mesh, file_format="gmsh", binary=binary))
    assert d.available_mesh_tags == ["interior", "boundary"]
    assert measure(d, "boundary") == pytest.approx(4.0)


def test_windows_line_ends_and_blank_lines(gmsh_files, tmp_path):
    for file in ("2.2-0.msh", "4.1-0.msh"):
        text = (gmsh_files / file).read_text()
        path = tmp_path / file
        path.write_bytes(text.replace("$EndNodes", "\n$EndNodes").replace("\n", "\r\n").encode())
        assert measure(domain(path), "low") == pytest.approx(4.0)


# -- other formats ----


@pytest.mark.parametrize("ending", ["vtk", "vtu", "inp", "med", "xdmf", "mesh", "xml"])
def test_files_without_sets_have_interior_and_boundary(tmp_path, ending, capfd):
    path = write(tmp_path / f"m.{ending}", square_mesh(in_space(SQUARE), cells=[("triangle", TRIANGLES)]))
    capfd.readouterr()
    d = domain(path)
    assert d.available_mesh_tags == ["interior", "boundary"]
    assert "names no regions; its tags are 'interior' and 'boundary'" in capfd.readouterr().out
    assert d.points.shape == (5, 2)
    assert measure(d, "interior") == pytest.approx(1.0)
    assert measure(d, "boundary") == pytest.approx(4.0)
    assert np.allclose(d.normals_by_tag["boundary"][0] @ d.normals_by_tag["boundary"][0], 1.0)


@pytest.mark.parametrize("ending", ["vtk", "vtu", "inp", "med", "mesh"])
def test_tetrahedra(tmp_path, ending):
    cube = domain.cube(mesh_size=0.5)
    d = domain(write(tmp_path / f"m.{ending}", meshio.Mesh(cube.points, [("tetra", cube.mesh.cells)])))
    assert d.dimension == 3
    assert np.allclose(d.points, cube.points)
    assert measure(d, "interior") == pytest.approx(1.0)
    assert measure(d, "boundary") == pytest.approx(6.0)


@pytest.mark.parametrize("ending", ["vtk", "vtu", "msh", "inp", "mesh"])
def test_lines(tmp_path, ending):
    x = np.linspace(-1.0, 2.0, 7)[:, None]
    cells = [("line", np.column_stack([np.arange(6), np.arange(1, 7)]))]
    options = {"file_format": "gmsh"} if ending == "msh" else {}
    d = domain(write(tmp_path / f"m.{ending}", meshio.Mesh(in_space(x), cells), **options))
    assert d.dimension == 1
    assert d.points.shape == (7, 1)
    assert measure(d, "interior") == pytest.approx(3.0)
    assert d._mesh_pool["boundary"].tolist() == [[-1.0], [2.0]]
    assert d.normals_by_tag["boundary"].ravel().tolist() == [-1.0, 1.0]


def test_named_vertices_of_a_line(tmp_path):
    cells = [("line", np.array([[0, 1], [1, 2]])), ("vertex", np.array([[0], [2]]))]
    data = {"gmsh:physical": [np.array([1, 1]), np.array([2, 3])]}
    data["gmsh:geometrical"] = data["gmsh:physical"]
    names = {"rod": np.array([1, 1]), "hot": np.array([2, 0]), "cold": np.array([3, 0])}
    mesh = meshio.Mesh(in_space([[0.0], [1.0], [3.0]]), cells, cell_data=data, field_data=names)
    d = domain(write(tmp_path / "m.msh", mesh, file_format="gmsh22", binary=False))
    assert measure(d, "rod") == pytest.approx(3.0)
    assert d._mesh_pool["hot"].tolist() == [[0.0]]
    assert d.normals_by_tag["cold"].tolist() == [[1.0]]
    assert measure(d, "cold") == pytest.approx(1.0)


def test_quadrilaterals_become_triangles(tmp_path):
    mesh = meshio.Mesh(in_space(SQUARE[:4]), [("quad", np.array([[0, 1, 2, 3]]))])
    d = domain(write(tmp_path / "m.vtu", mesh))
    assert d.mesh.cells.shape == (2, 3)
    assert measure(d, "interior") == pytest.approx(1.0)


def test_med_without_groups(gmsh_files):
    d = domain(gmsh_files / "plain.med")
    assert d.available_mesh_tags == ["interior", "boundary"]
    assert d.points.shape == (81, 2)
    assert measure(d, "interior") == pytest.approx(3.0)


def test_med_groups_of_nodes(tmp_path):
    mesh = square_mesh(cells=[("triangle", TRIANGLES)], point_data={"point_tags": np.array([1, 1, 0, 2, 2])})
    mesh.point_tags = {1: ["low", "all"], 2: ["all", "high"]}
    path = write(tmp_path / "m.med", mesh)
    d = domain(path)
    assert d.available_mesh_tags == ["interior", "boundary", "low", "all", "high"]
    assert [d.tag_indices[name].tolist() for name in ("low", "all", "high")] == [[0, 1], [0, 1, 3, 4], [3, 4]]


def test_warnings_of_meshio_are_passed_on(tmp_path, capfd):
    """Names of markers, which meshio's reader of SU2 files replaces by numbers."""
    text = "NDIME= 2\nNELEM= 1\n5 0 1 2\nNPOIN= 3\n0 0\n1 0\n0 1\nNMARK= 1\nMARKER_TAG= inlet\nMARKER_ELEMS= 1\n3 0 1\n"
    (tmp_path / "m.su2").write_text(text)
    assert measure(domain(tmp_path / "m.su2"), "interior") == pytest.approx(0.5)
    said = capfd.readouterr().out
    assert "m.su2': meshio says: Warning: meshio does not support tags of string type. Surface tag inlet" in said


def test_clockwise_cells_are_turned(tmp_path):
    mesh = square_mesh(in_space(SQUARE), cells=[("triangle", TRIANGLES[:, ::-1])])
    d = domain(write(tmp_path / "m.vtu", mesh))
    corners = d.mesh.points[d.mesh.cells]
    assert np.all(np.linalg.det(corners[:, 1:] - corners[:, :1]) > 0)
    assert np.all(np.sum(d.normals_by_tag["boundary"] * (d._mesh_pool["boundary"] - 0.5), axis=1) > 0)


def test_a_plane_parallel_to_the_x_y_plane_is_flat(tmp_path):
    mesh = square_mesh(np.add(in_space(SQUARE), [0.0, 0.0, 7.0]))
    assert domain(write(tmp_path / "m.vtu", mesh)).points.shape == (5, 2)


def test_npz_is_a_point_cloud(tmp_path):
    np.savez(tmp_path / "cloud.npz", a=SQUARE, b=np.zeros((0, 2)))
    d = domain(tmp_path / "cloud.npz")
    assert d.mesh is None
    assert d.context["a"].shape == (1, 1, 5, 2)
    assert np.array_equal(d.context["a"][0, 0], SQUARE)


def test_time_axis_on_a_mesh_file(tmp_path):
    d = domain(str(write(tmp_path / "m.vtu", square_mesh(in_space(SQUARE)))), time=(0.0, 1.0, 3))
    d.variable("boundary")
    assert d.context["boundary"].shape == (1, 3, 4, 2)


# -- orphan nodes ----


def with_orphans(**data):
    points = np.concatenate([[[9.0, 9.0]], SQUARE, [[-3.0, 2.0]]])
    blocks = [("triangle", TRIANGLES + 1), ("line", EDGES + 1), ("vertex", np.array([[0]]))]
    return meshio.Mesh(in_space(points), blocks, **data)


@pytest.mark.parametrize("ending", ["vtu", "vtk", "med"])
def test_orphan_nodes_are_removed_and_the_others_renumbered(tmp_path, ending):
    d = domain(write(tmp_path / f"m.{ending}", with_orphans()))
    assert np.allclose(d.points, SQUARE)
    assert measure(d, "interior") == pytest.approx(1.0)
    assert np.array_equal(np.sort(d.tag_indices["boundary"]), np.arange(4))


def test_orphan_nodes_can_be_kept(tmp_path):
    path = write(tmp_path / "m.vtu", with_orphans())
    d = domain(path, keep_orphan_nodes=True)
    assert d.points.shape == (7, 2)
    assert np.array_equal(d.tag_indices["interior"], np.arange(1, 6))
    assert measure(d, "boundary") == pytest.approx(4.0)


def test_a_set_of_orphan_nodes_vanishes_with_them(capfd):
    mesh = with_orphans(point_sets={"far": np.array([0, 6]), "middle": np.array([5]), "mixed": np.array([0, 1])})
    d = drawn(mesh)
    assert "no cell has the nodes of the set(s) 'far', which become no tags" in capfd.readouterr().out
    assert set(d.available_mesh_tags) == {"interior", "boundary", "middle", "mixed"}
    assert d._mesh_pool["middle"].tolist() == [[0.5, 0.5]]
    assert d._mesh_pool["mixed"].tolist() == [[0.0, 0.0]]
    kept = domain(lambda geo: (mesh, 2, 0.5), keep_orphan_nodes=True)
    assert kept._mesh_pool["far"].tolist() == [[9.0, 9.0], [-3.0, 2.0]]
    assert "far" not in kept.boundary_tags()


# -- sets ----


def drawn(mesh):
    """The domain of a `meshio.Mesh` in memory."""
    return domain(lambda geo: (mesh, 2, 0.5))


@pytest.mark.parametrize(
    "sets",
    [
        {"lower": [[0, 3], []], "right": [[], [1]]},  # numbered per block
        {"lower": [[0, 3], []], "right": [[], [5]]},  # numbered over all blocks: the second after four triangles
        {"lower": {"triangle": [0, 3]}, "right": {"line": [1]}},
        {"lower": [np.array([0, 3]), None], "right": [None, np.array([1])]},
    ],
)
def test_cell_sets_local_global_and_by_kind(sets):
    mesh = square_mesh()
    mesh.cell_sets = {**sets, "gmsh:bounding_entities": [[0], [0]]}
    d = drawn(mesh)
    assert set(d.available_mesh_tags) == {"interior", "boundary", "lower", "right"}
    assert measure(d, "lower") == pytest.approx(0.5)
    assert np.array_equal(np.sort(d.tag_indices["lower"]), [0, 1, 3, 4])
    assert measure(d, "right") == pytest.approx(1.0)


def test_a_set_of_cells_and_facets_is_two_tags():
    d = drawn(square_mesh(cell_sets={"hot": [np.array([0]), np.array([0, 1])]}))
    assert measure(d, "hot") == pytest.approx(0.25)
    assert measure(d, "hot_boundary") == pytest.approx(2.0)


def test_sets_of_nodes():
    d = drawn(square_mesh(point_sets={"wall": np.array([0, 3]), "probe": np.array([4])}))
    assert d.tag_indices["probe"].tolist() == [4]
    assert "probe" not in d.boundary_tags()
    assert "wall" in d.boundary_tags()
    assert np.allclose(np.linalg.norm(d.normals_by_tag["wall"], axis=1), 1.0)


def test_the_file_may_restrict_interior():
    d = drawn(square_mesh(cell_sets={"interior": [np.array([0, 1]), np.zeros(0, int)]}))
    assert measure(d, "interior") == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        ({"interior": [[], [0]]}, "the set 'interior' must consist of cells and the set 'boundary' of facets"),
        ({"boundary": [[0], []]}, "the set 'interior' must consist of cells and the set 'boundary' of facets"),
        ({"initial": [[0], []]}, "'initial' is reserved"),
        ({"x@y": [[], [0]]}, "'x@y' is reserved"),
        ({"far": [[1, 7], []]}, "the set 'far' lists cell 7, but its block has 4 cells"),
    ],
)
def test_sets_that_cannot_be_tags(sets, message):
    mesh = square_mesh()
    mesh.cell_sets = {name: [np.array(ids, dtype=int) for ids in parts] for name, parts in sets.items()}
    with pytest.raises(ValueError, match=message):
        drawn(mesh)


# -- files that cannot be used ----


@pytest.mark.parametrize("ending", ["msh", "vtu", "npz", "step", "brep", "inp"])
def test_missing_files(tmp_path, ending):
    path = tmp_path / f"none.{ending}"
    with pytest.raises(FileNotFoundError, match=str(path)):
        domain(str(path))


def test_unknown_and_missing_extensions(tmp_path):
    for name in ("mesh.txt", "mesh"):
        (tmp_path / name).write_text("0 0 0\n")
        with pytest.raises(ValueError, match=rf"{name}'.* unknown kind of file .* known are .npz .* .vtu"):
            domain(str(tmp_path / name))


@pytest.mark.parametrize(
    "sets", [{"late": [[2, 3], []]}, {"late": [[], [6, 7]]}, {"late": [[], [2, 3]]}], ids=["cells", "global", "local"]
)
def test_global_numbers_count_from_the_first_cell_of_the_block(sets):
    mesh = square_mesh()
    mesh.cell_sets = {name: [np.array(ids, dtype=int) for ids in parts] for name, parts in sets.items()}
    assert set(drawn(mesh).tag_indices["late"].tolist()) - {4} == {2, 3, 0}


@pytest.mark.parametrize("ending", ["2.msh", "4.msh", "b2.msh", "b4.msh", "vtk", "vtu", "med", "xdmf", "mesh"])
def test_truncated_files_say_which_file(gmsh_files, tmp_path, ending):
    source = {"2.msh": "2.2-0.msh", "4.msh": "4.1-0.msh", "b2.msh": "2.2-1.msh", "b4.msh": "4.1-1.msh"}
    path = tmp_path / f"cut.{ending}"
    if ending in source:
        path.write_bytes((gmsh_files / source[ending]).read_bytes())
    else:
        write(path, square_mesh(in_space(SQUARE)))
    whole = path.read_bytes()
    assert domain(path).dimension == 2
    for length in (0, 8, len(whole) // 4, len(whole) // 2, 3 * len(whole) // 4, len(whole) - 12):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"{path}'.* (empty|corrupt|truncated|no points|no cells)"):
            domain(path)


@pytest.mark.parametrize(
    "ending", ["msh", "vtk", "vtu", "inp", "med", "xdmf", "mesh", "stl", "nas", "vol", "npz", "off", "wkt"]
)
def test_files_with_other_contents_say_which_file(tmp_path, ending):
    path = tmp_path / f"noise.{ending}"
    noise = bytes(np.random.default_rng(0).integers(0, 256, 700, dtype=np.uint8))
    for contents in (noise, b"\x00" * 100, b"hello\nworld\n", b"OFF\n", b"# nothing\n\n\n"):
        path.write_bytes(contents)
        with pytest.raises(ValueError, match=rf"{path}'"):
            domain(path)


@pytest.mark.parametrize("file", ["2.2-0.msh", "4.1-0.msh"])
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("$Nodes\n", "$Points\n", "truncated"),
        ("$EndElements", "", r"\$EndElements is missing"),
        ("$EndElements", "1 15 1 1 1\n$EndElements", "corrupt"),
        ("0.25", "abc", "corrupt"),
        ("0.25", "nan", r"corrupt: \d+ coordinates are not finite"),
    ],
)
def test_damaged_gmsh_files(gmsh_files, tmp_path, file, old, new, message):
    text = (gmsh_files / file).read_text()
    assert old in text
    path = tmp_path / file
    path.write_text(text.replace(old, new))
    with pytest.raises(ValueError, match=message) as caught:
        domain(path)
    assert str(path) in str(caught.value)


def test_an_abaqus_file_cut_inside_a_line(tmp_path):
    path = write(tmp_path / "cut.inp", square_mesh(in_space(SQUARE)))
    text = path.read_text()
    for after in ("*NODE", "*ELEMENT"):
        start = text.index("\n", text.index(after) + 40)
        path.write_text(text[: start + 4])
        with pytest.raises(ValueError, match=rf"{path}'.* (corrupt|no cells)"):
            domain(path)


def test_old_versions_of_the_gmsh_format_say_what_to_do(gmsh_files):
    path = gmsh_files / "old-1.msh"
    with pytest.raises(ValueError, match=rf"{path}'.* versions 2.2, 4.0 and 4.1 .* save it as 4.1"):
        domain(path)


def test_an_archive_that_is_no_archive_of_arrays(tmp_path):
    path = tmp_path / "cloud.npz"
    np.savez(path, a=np.array([{"x": 1}], dtype=object))
    with pytest.raises(ValueError, match=str(path)):
        domain(path)


def test_nan_coordinates(tmp_path):
    points = in_space(SQUARE)
    points[2, 1] = np.nan
    with pytest.raises(ValueError, match=r"m.vtu' is corrupt: 1 coordinates are not finite"):
        domain(write(tmp_path / "m.vtu", square_mesh(points)))


def test_coordinates_without_a_volume():
    with pytest.raises(ValueError, match=r"is corrupt: a coordinate is 1e\+200"):
        drawn(square_mesh(np.where(SQUARE == 1.0, 1e200, SQUARE)))


@pytest.mark.parametrize("node", [-1, 5])
def test_element_indices_out_of_range(tmp_path, node):
    cells = [("triangle", np.array([[0, 1, 4], [1, 2, node]]))]
    with pytest.raises(ValueError, match=r"m.vtu' is corrupt: .* 'triangle' refers to a node that does not exist .*5"):
        domain(write(tmp_path / "m.vtu", square_mesh(in_space(SQUARE), cells=cells)))


@pytest.mark.parametrize("file", ["2.2-0.msh", "4.1-0.msh"])
def test_node_numbers_out_of_range_in_gmsh_files(gmsh_files, tmp_path, file):
    path = tmp_path / file
    path.write_text((gmsh_files / file).read_text().replace(" 81", " 1081").replace("$Nodes\n1081", "$Nodes\n81"))
    with pytest.raises(ValueError, match=rf"{path}' is corrupt"):
        domain(path)


def test_degenerate_elements(tmp_path):
    cells = [("triangle", np.concatenate([TRIANGLES, [[0, 2, 4]]]))]
    with pytest.raises(ValueError, match=r"m.vtu' has 1 degenerate triangles of zero size"):
        domain(write(tmp_path / "m.vtu", square_mesh(in_space(SQUARE), cells=cells)))


def test_only_degenerate_elements(tmp_path):
    cells = [("triangle", np.array([[0, 2, 4], [1, 1, 1]]))]
    with pytest.raises(ValueError, match=r"m.vtu' has 2 degenerate triangles of zero size"):
        domain(write(tmp_path / "m.vtu", square_mesh(in_space(SQUARE), cells=cells)))


@pytest.mark.parametrize("kind", ["polygon", "polyhedron8"])
def test_elements_that_are_no_simplices(kind):
    nodes = np.arange(5)[None] if kind == "polygon" else [[[0, 1, 2], [0, 1, 3, 4]]]
    mesh = meshio.Mesh(SQUARE, [(kind, nodes)])
    with pytest.raises(ValueError, match=rf"elements of kind .*'{kind}'"):
        from_meshio_and_build(mesh)


@pytest.mark.parametrize("ending", ["stl", "vtu", "off", "ply"])
def test_a_surface_needs_a_volume_mesh(tmp_path, ending):
    mesh = domain.cube(mesh_size=0.5).mesh
    path = write(tmp_path / f"m.{ending}", meshio.Mesh(mesh.points, [("triangle", mesh.facets)]))
    with pytest.raises(ValueError, match=rf"{path}' is the mesh of a surface in 3-D .* needs a volume mesh"):
        domain(path)


def test_a_mesh_without_cells(tmp_path):
    path = write(tmp_path / "m.vtu", meshio.Mesh(in_space(SQUARE), [("vertex", np.array([[0], [1]]))]))
    with pytest.raises(ValueError, match=rf"{path}' has no cells: no lines, triangles or tetrahedra"):
        domain(path)


def from_meshio_and_build(mesh):
    return build_geometry(from_meshio(mesh, "This mesh"), "This mesh")


def test_two_columns_for_a_volume():
    with pytest.raises(ValueError, match="a 3-D domain was asked for, but the points have 2 columns"):
        domain(lambda geo: (square_mesh(), 3, 0.5))
    tetra = meshio.Mesh(SQUARE, [("tetra", np.array([[0, 1, 2, 3]]))])
    with pytest.raises(ValueError, match="has tetrahedra, but its points have 2 columns only"):
        from_meshio_and_build(tetra)


def test_keywords_that_mean_nothing_for_a_mesh_file(tmp_path):
    path = write(tmp_path / "m.vtu", square_mesh(in_space(SQUARE)))
    with pytest.raises(ValueError, match=r"mesh_size=0\.1 means nothing for a mesh file"):
        domain(path, mesh_size=0.1)


def test_without_meshio_the_extra_is_named(monkeypatch, gmsh_files, tmp_path):
    path = write(tmp_path / "m.mesh", square_mesh(in_space(SQUARE)))
    others = [write(tmp_path / f"m.{ending}", square_mesh(in_space(SQUARE))) for ending in ("vtu", "vtk", "inp")]
    monkeypatch.setitem(sys.modules, "meshio", None)
    with pytest.raises(ImportError, match=r"Reading .mesh files needs meshio: pip install 'jno-jax\[mesh\]'"):
        domain(path)
    # these need no library
    for path in (gmsh_files / "4.1-0.msh", *others):
        assert domain(path).dimension == 2


def test_without_h5py_it_is_named(monkeypatch, gmsh_files):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(ImportError, match=r"reading .med files needs h5py: pip install 'jno-jax\[mesh\]'"):
        domain(gmsh_files / "groups.med")


# -- speed ----


def test_a_large_file_is_read_in_linear_time(tmp_path):
    """Four times as many nodes and cells: at most four times as many function calls."""
    calls = []
    for size in (0.5, 0.02, 0.01):  # the first one imports what is needed
        domain.rect(mesh_size=size).export(tmp_path / "rect.msh")
        calls.append(function_calls(lambda: domain(tmp_path / "rect.msh")))
    assert calls[2] < 4 * calls[1]
    assert calls[2] < 10 * 101**2
