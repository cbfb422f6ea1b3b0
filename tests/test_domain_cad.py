"""Geometry callables and CAD files: gmsh draws and meshes, analytic measures decide."""

import importlib.abc
import importlib.machinery
import sys
import threading

import gmsh
import meshio
import numpy as np
import pytest
from meshes import gmsh_session

from jno.domain import domain

RADIUS, SIDE, HEIGHT = 0.25, 1.0, 0.5


def measure(d, tag):
    return d.quadrature(tag).weights.sum()


@pytest.fixture(scope="module")
def cad(tmp_path_factory):
    """A box with a cylindrical hole, the plate below it, and shapes that are no domain, as STEP, BREP, IGES."""
    folder = tmp_path_factory.mktemp("cad")
    with gmsh_session():
        occ = gmsh.model.occ

        def drilled():
            occ.cut(
                [(3, occ.addBox(0, 0, 0, SIDE, SIDE, HEIGHT))], [(3, occ.addCylinder(0.5, 0.5, -1, 0, 0, 3, RADIUS))]
            )

        def plate():
            occ.cut([(2, occ.addRectangle(0, 0, 0, SIDE, SIDE))], [(2, occ.addDisk(0.5, 0.5, 0, RADIUS, RADIUS))])

        def halves():
            occ.fragment([(3, occ.addBox(0, 0, 0, 1, 1, 1))], [(3, occ.addBox(1, 0, 0, 2, 1, 1))])

        def wire():
            occ.addLine(occ.addPoint(0, 0, 0), occ.addPoint(1, 0, 0))

        for shape in (drilled, plate, halves, wire, lambda: occ.addBox(0, 0, 0, 2, 1, 1)):
            name = "box" if shape.__name__ == "<lambda>" else shape.__name__
            gmsh.model.add(name)
            shape()
            occ.synchronize()
            for ending in ("step", "brep", "igs"):
                if (name, ending) not in {("wire", "igs"), ("halves", "igs")}:
                    gmsh.write(str(folder / f"{name}.{ending}"))
    (folder / "drilled.stp").write_bytes((folder / "drilled.step").read_bytes())
    return folder


# -- CAD files ----


@pytest.mark.parametrize("ending", ["step", "stp", "brep"])
def test_a_drilled_box_has_the_exact_measures(cad, ending):
    d = domain(str(cad / f"drilled.{ending}"), mesh_size=0.08)
    hole, plate = np.pi * RADIUS**2, SIDE**2 - np.pi * RADIUS**2
    assert d.dimension == 3
    assert d.ds == 0.08
    faces = [tag for tag in d.available_mesh_tags if tag.startswith("face_")]
    assert sorted(faces) == [f"face_{k}" for k in range(1, 8)]
    # chords of the hole: an error of second order in mesh size / radius
    assert measure(d, "interior") == pytest.approx((SIDE**2 - hole) * HEIGHT, rel=0.01)
    exact = sorted([2 * np.pi * RADIUS * HEIGHT, *[SIDE * HEIGHT] * 4, plate, plate])
    assert sorted(measure(d, face) for face in faces) == pytest.approx(exact, rel=0.02)
    assert sorted(measure(d, face) for face in faces)[:4] == pytest.approx([SIDE * HEIGHT] * 4, rel=1e-9)


def test_the_faces_partition_the_boundary(cad):
    d = domain(cad / "drilled.brep", mesh_size=0.15)
    tags = d.geometry.tags
    facets = np.concatenate([tags[f"face_{k}"].facets for k in range(1, 8)])
    assert np.array_equal(np.sort(facets), np.arange(len(d.mesh.facets)))
    assert sum(measure(d, f"face_{k}") for k in range(1, 8)) == pytest.approx(measure(d, "boundary"), rel=1e-12)


def test_normals_of_the_hole_point_to_its_axis(cad):
    d = domain(cad / "drilled.brep", mesh_size=0.08)
    middles = {k: d._mesh_pool[f"face_{k}"] - [0.5, 0.5, 0.25] for k in range(1, 8)}
    (hole,) = [k for k, points in middles.items() if np.allclose(np.hypot(*points[:, :2].T), RADIUS)]
    inward = -middles[hole] * [1, 1, 0] / RADIUS
    assert np.all(np.sum(d.normals_by_tag[f"face_{hole}"] * inward, axis=1) > 0.99)


@pytest.mark.parametrize("ending", ["step", "brep"])
def test_a_plane_region_has_edges(cad, ending):
    d = domain(cad / f"plate.{ending}", mesh_size=0.05)
    assert d.dimension == 2
    edges = [tag for tag in d.available_mesh_tags if tag.startswith("edge_")]
    assert measure(d, "interior") == pytest.approx(1 - np.pi * RADIUS**2, rel=3e-3)
    assert sorted(measure(d, edge) for edge in edges) == pytest.approx([1, 1, 1, 1, 2 * np.pi * RADIUS], rel=4e-3)
    assert sum(measure(d, edge) for edge in edges) == pytest.approx(measure(d, "boundary"))


def test_several_solids_are_volumes_with_an_interface(cad):
    d = domain(cad / "halves.brep", mesh_size=0.4)
    assert sorted(measure(d, f"volume_{k}") for k in (1, 2)) == pytest.approx([1.0, 2.0])
    faces = [tag for tag in d.available_mesh_tags if tag.startswith("face_")]
    assert len(faces) == 11
    assert measure(d, "boundary") == pytest.approx(14.0)
    inside = [face for face in faces if np.allclose(d._mesh_pool[face][:, 0], 1.0)]
    assert len(inside) == 1
    assert measure(d, inside[0]) == pytest.approx(1.0)
    # IGES holds surfaces and curves only
    with pytest.raises(ValueError, match="volume"):
        domain(cad / "drilled.igs", mesh_size=0.2)


def test_without_a_mesh_size_the_diagonal_is_divided_by_twenty(cad, capfd):
    d = domain(cad / "box.step")
    assert d.ds == pytest.approx(np.sqrt(6) / 20, rel=1e-5)
    assert "a twentieth of its diagonal; give mesh_size= to choose" in capfd.readouterr().out
    assert measure(d, "interior") == pytest.approx(2.0)


def test_meshing_is_reproducible_and_takes_the_algorithm(cad):
    first, second = (domain(cad / "plate.brep", mesh_size=0.1, algorithm=6) for _ in range(2))
    assert np.array_equal(first.points, second.points)
    other = domain(cad / "plate.brep", mesh_size=0.1, algorithm=1)
    assert other.algorithm == 1
    assert len(other.points) != len(first.points) or not np.allclose(other.points, first.points)


def test_files_that_are_no_geometry(cad, tmp_path):
    for ending in ("step", "brep", "iges"):
        for contents in (b"", b"hello\n", bytes(range(256)) * 4):
            path = tmp_path / f"broken.{ending}"
            path.write_bytes(contents)
            expected = rf"The CAD file '{path}' (is corrupt|is truncated or not a|holds no volume)"
            with pytest.raises(ValueError, match=expected):
                domain(path, mesh_size=0.5)


@pytest.mark.parametrize("ending", ["step", "brep"])
def test_truncated_geometries(cad, tmp_path, ending):
    whole = (cad / f"drilled.{ending}").read_bytes()
    path = tmp_path / f"cut.{ending}"
    for length in (len(whole) // 8, len(whole) // 2, len(whole) - 20):
        path.write_bytes(whole[:length])
        with pytest.raises(ValueError, match=rf"The CAD file '{path}' is truncated .* its end is missing"):
            domain(path, mesh_size=0.5)


def test_a_wire_is_no_domain(cad):
    with pytest.raises(ValueError, match=r"wire.brep' holds no volume and no face; a domain needs a solid"):
        domain(cad / "wire.brep")


@pytest.mark.parametrize("size", [0.0, -1.0, np.nan, "fine"])
def test_mesh_sizes_are_checked(cad, size):
    with pytest.raises(ValueError, match="mesh_size must be a positive finite number; got"):
        domain(cad / "box.step", mesh_size=size)


def test_keywords_of_mesh_files_mean_nothing(cad):
    with pytest.raises(ValueError, match="keep_orphan_nodes=True concerns mesh files only"):
        domain(cad / "box.step", mesh_size=0.5, keep_orphan_nodes=True)


# -- geometry callables ----


def quarter(geo):
    """A quarter of the unit disk with named sides, drawn with the built-in kernel."""
    middle, east, north = (geo.geo.addPoint(*xy, 0) for xy in ((0, 0), (1, 0), (0, 1)))
    bottom, arc, left = geo.geo.addLine(middle, east), geo.geo.addCircleArc(east, middle, north), None
    left = geo.geo.addLine(north, middle)
    face = geo.geo.addPlaneSurface([geo.geo.addCurveLoop([bottom, arc, left])])
    geo.geo.synchronize()
    geo.addPhysicalGroup(1, [bottom], name="bottom")
    geo.addPhysicalGroup(1, [arc], name="arc")
    geo.addPhysicalGroup(1, [bottom, left], name="straight")
    geo.addPhysicalGroup(2, [face], name="disk")
    return geo, 2, 0.05


def test_the_built_in_kernel_and_physical_groups():
    d = domain(quarter)
    assert set(d.available_mesh_tags) == {"interior", "boundary", "disk", "bottom", "arc", "straight"}
    assert d.ds == 0.05
    assert measure(d, "disk") == pytest.approx(np.pi / 4, rel=1e-3)
    assert measure(d, "interior") == pytest.approx(measure(d, "disk"), rel=1e-14)
    assert measure(d, "arc") == pytest.approx(np.pi / 2, rel=1e-3)
    assert measure(d, "straight") == pytest.approx(2.0)
    arc = d._mesh_pool["arc"]
    assert np.allclose(np.hypot(*arc.T), 1.0)
    assert np.all(np.sum(d.normals_by_tag["arc"] * arc, axis=1) > 0.999)
    assert np.allclose(d.normals_by_tag["bottom"], [0.0, -1.0])


def test_the_opencascade_kernel_without_groups():
    def draw(geo):
        geo.occ.addBox(0, 0, 0, 1, 2, 3)
        return geo, 3, 0.5

    d = domain(draw)
    assert set(d.available_mesh_tags) == {"interior", "boundary", *(f"face_{k}" for k in range(1, 7))}
    assert measure(d, "interior") == pytest.approx(6.0)
    assert sorted(measure(d, f"face_{k}") for k in range(1, 7)) == pytest.approx([2, 2, 3, 3, 6, 6])


def test_a_segment():
    def draw(geo):
        first, last = geo.geo.addPoint(-1, 0, 0), geo.geo.addPoint(2, 0, 0)
        line = geo.geo.addLine(first, last)
        geo.geo.synchronize()
        geo.addPhysicalGroup(0, [first], name="left")
        geo.addPhysicalGroup(1, [line], name="rod")
        return geo, 1, 0.25

    d = domain(draw)
    assert d.points.shape == (13, 1)
    assert measure(d, "rod") == pytest.approx(3.0)
    assert d._mesh_pool["left"].tolist() == [[-1.0]]
    assert d.normals_by_tag["left"].tolist() == [[-1.0]]


def test_the_callable_is_called_once_and_may_return_a_mesh():
    calls = []
    points = np.array([[9.0, 9.0], [0.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    mesh = meshio.Mesh(points, [("triangle", np.array([[1, 2, 3]])), ("vertex", np.array([[0]]))])

    def draw(geo):
        calls.append(geo)
        return mesh, 2, 0.5

    d = domain(draw)
    assert len(calls) == 1
    assert np.array_equal(d.points, points[1:])
    assert d.ds == 0.5
    assert measure(d, "interior") == pytest.approx(0.5)
    kept = domain(draw, keep_orphan_nodes=True)
    assert np.array_equal(kept.points, points)
    assert np.array_equal(kept.tag_indices["interior"], [1, 2, 3])


def test_points_inside_that_no_cell_uses_are_removed():
    def draw(geo):
        geo.occ.addRectangle(0, 0, 0, 1, 1)
        geo.occ.addPoint(5, 5, 0)
        return geo, 2, 0.5

    assert domain(draw).points.max() == 1.0
    assert domain(draw, keep_orphan_nodes=True).points.max() == 5.0


def test_time_and_connectivity_are_options():
    d = domain(quarter, time=(0.0, 1.0, 3), compute_mesh_connectivity=False)
    d.variable("arc")
    assert d.context["arc"].shape[:2] == (1, 3)
    assert d.mesh_connectivity is None


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (lambda geo: geo, r"must return \(geo, dimension, mesh_size\) .* it returned"),
        (lambda geo: (geo, 2), r"must return \(geo, dimension, mesh_size\)"),
        (lambda geo: None, "it returned None"),
        (lambda geo: (geo, 4, 0.1), "it returned the dimension 4"),
        (lambda geo: (geo, "2", 0.1), "it returned the dimension '2'"),
        (lambda geo: (geo, True, 0.1), "it returned the dimension True"),
        (lambda geo: (geo, 2, 0.0), "mesh_size must be a positive finite number; got 0.0"),
        (lambda geo: ("square", 2, 0.1), "it returned the geometry 'square'"),
        (lambda geo: (geo, 2, 0.1), "drew no entity of dimension 2"),
        (lambda geo: (geo.occ.addRectangle(0, 0, 0, 1, 1) and geo, 3, 0.5), "drew no entity of dimension 3"),
    ],
)
def test_results_that_cannot_be_meshed(draw, message):
    with pytest.raises(ValueError, match=message):
        domain(draw)


def test_a_surface_in_space_is_no_domain():
    def draw(geo):
        geo.occ.addSphere(0, 0, 0, 1)
        return geo, 2, 0.5

    with pytest.raises(ValueError, match=r"is the mesh of a surface in 3-D .* needs a volume mesh"):
        domain(draw)


def test_quadrilaterals_and_second_order_become_first_order_triangles(capfd):
    def recombined(geo):
        geo.occ.addRectangle(0, 0, 0, 1, 1)
        geo.occ.synchronize()
        geo.mesh.setRecombine(2, 1)
        return geo, 2, 0.25

    assert domain(recombined).mesh.cells.shape[1] == 3
    assert measure(domain(recombined), "interior") == pytest.approx(1.0)

    def second(geo):
        gmsh.option.setNumber("Mesh.ElementOrder", 2)
        geo.occ.addRectangle(0, 0, 0, 1, 1)
        return geo, 2, 0.5

    d = domain(second)
    assert measure(d, "interior") == pytest.approx(1.0)
    assert "of second or higher order (triangle)" in capfd.readouterr().out


def test_an_error_in_the_callable_passes_and_closes_gmsh():
    def draw(geo):
        raise ZeroDivisionError("mine")

    with pytest.raises(ZeroDivisionError, match="mine"):
        domain(draw)
    assert not gmsh.isInitialized()


# -- the library gmsh ----


def test_a_session_of_the_user_is_left_as_it_was():
    with gmsh_session():
        gmsh.model.add("mine")
        gmsh.option.setNumber("Mesh.ElementOrder", 2)
        gmsh.model.occ.addBox(0, 0, 0, 1, 1, 1)
        gmsh.model.occ.synchronize()
        entities = gmsh.model.getEntities()
        assert domain(quarter).mesh.cells.shape[1] == 3
        assert gmsh.isInitialized()
        assert gmsh.model.getCurrent() == "mine"
        assert gmsh.model.getEntities() == entities
        assert gmsh.option.getNumber("Mesh.ElementOrder") == 2
        assert sorted(gmsh.model.list()) == ["", "mine"]


def test_nothing_is_printed(capfd):
    domain(quarter)
    captured = capfd.readouterr()
    assert (captured.out, captured.err) == ("", "")


def test_meshing_outside_the_main_thread():
    made = []
    thread = threading.Thread(target=lambda: made.append(domain(quarter)))
    thread.start()
    thread.join()
    assert measure(made[0], "disk") == pytest.approx(np.pi / 4, rel=1e-3)


def test_without_gmsh_the_extra_is_named(monkeypatch, cad):
    monkeypatch.setitem(sys.modules, "gmsh", None)
    with pytest.raises(ImportError, match=r"Reading CAD files needs gmsh: pip install 'jno-jax\[mesh\]'"):
        domain(cad / "box.step", mesh_size=0.5)
    with pytest.raises(ImportError, match=r"A geometry callable needs gmsh: pip install 'jno-jax\[mesh\]'"):
        domain(quarter)


class WithoutSystemLibrary(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Importing gmsh fails as it does where the library libGLU is not installed."""

    def find_spec(self, name, path=None, target=None):
        return importlib.machinery.ModuleSpec(name, self) if name == "gmsh" else None

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        raise OSError("libGLU.so.1: cannot open shared object file: No such file or directory")


def test_missing_system_libraries_are_named(monkeypatch):
    monkeypatch.delitem(sys.modules, "gmsh")
    monkeypatch.setattr(sys, "meta_path", [WithoutSystemLibrary(), *sys.meta_path])
    with pytest.raises(ImportError, match=r"cannot be loaded: libGLU.so.1: .*apt-get install libglu1-mesa"):
        domain(quarter)
