"""Exports: meshes that come back with every tag, fields for ParaView, pictures, the summary."""

import builtins
import sys
import xml.etree.ElementTree as ElementTree

import gmsh
import matplotlib.image
import meshio
import numpy as np
import pytest
from meshes import gmsh_session

from jno.domain import domain


def line_with_tags():
    d = domain.line((-1.0, 2.0), 0.25)
    return d.tag("half", lambda x: x <= 0.5).tag("probe", lambda x: x == 0.5)


def rect_with_tags():
    d = domain.rect((0.0, 2.0), mesh_size=0.25).tag("half", lambda x, y: x <= 1.0)
    d.tag("core", lambda x, y: (abs(x - 1.0) <= 0.5) & (abs(y - 0.5) <= 0.25))
    d.tag("inlet", lambda x, y: (x == 0.0) & (y >= 0.5))
    return d.tag("pin", lambda x, y: (x == 0.0) & (y == 0.5)).tag("probe", lambda x, y: (x == 1.0) & (y == 0.5))


def cube_with_tags():
    d = domain.cube(mesh_size=0.25).tag("half", lambda x, y, z: x <= 0.5)
    return d.tag("patch", lambda x, y, z: (z == 1.0) & (x <= 0.5)).tag("pin", lambda x, y, z: x + y + z == 0.0)


def interface_domain():
    """Two unit squares side by side with the edge between them as a tag; gmsh draws it."""

    def draw(geo):
        occ = geo.occ
        occ.fragment([(2, occ.addRectangle(0, 0, 0, 1, 1))], [(2, occ.addRectangle(1, 0, 0, 1, 1))])
        occ.synchronize()
        between = [tag for _, tag in geo.getEntities(1) if abs(occ.getCenterOfMass(1, tag)[0] - 1.0) < 1e-9]
        geo.addPhysicalGroup(2, [1], name="west")
        geo.addPhysicalGroup(2, [2], name="east")
        geo.addPhysicalGroup(1, between, name="between")
        return geo, 2, 0.25

    return domain(draw)


SHAPES = {
    "line": line_with_tags,
    "rect": rect_with_tags,
    "cube": cube_with_tags,
    "interface": interface_domain,
    "hole": lambda: domain.rectangle_with_hole(mesh_size=0.2, separate_boundary=True),
}


def measure_or_none(d, tag):
    try:
        return d.quadrature(tag).weights.sum()
    except ValueError:
        return None


# -- meshes ----


@pytest.mark.parametrize("ending", ["msh", "vtu", "vtk"])
@pytest.mark.parametrize("shape", SHAPES)
def test_export_and_load_keep_every_tag(tmp_path, shape, ending):
    d = SHAPES[shape]()
    path = tmp_path / "deep" / "er" / f"{shape}.{ending}"
    assert d.export(path) is d
    back = domain(str(path))
    assert set(back.available_mesh_tags) == set(d.available_mesh_tags)
    assert back.boundary_tags() == sorted(d.normals_by_tag)
    assert np.array_equal(back.points, d.points)
    assert {frozenset(cell) for cell in back.mesh.cells.tolist()} == {frozenset(cell) for cell in d.mesh.cells.tolist()}
    for tag in d.available_mesh_tags:
        assert set(back.tag_indices[tag]) == set(d.tag_indices[tag]), tag
        assert measure_or_none(back, tag) == pytest.approx(measure_or_none(d, tag)), tag
        if tag in d.normals_by_tag:
            # listed by node: a mesh file fixes the set of nodes of a tag, not their order
            old, new = np.argsort(d.tag_indices[tag]), np.argsort(back.tag_indices[tag])
            assert np.allclose(back.normals_by_tag[tag][new], d.normals_by_tag[tag][old]), tag


@pytest.mark.parametrize("shape", ["rect", "interface", "hole"])
def test_pools_of_edges_stay_ordered(tmp_path, shape):
    d = SHAPES[shape]()
    d.export(tmp_path / "m.msh")
    back = domain(tmp_path / "m.msh")
    loop = back._mesh_pool["boundary"]
    steps = np.linalg.norm(np.diff(loop, axis=0), axis=1)
    jumps = 1 if shape == "hole" else 0  # from one loop to the next
    assert np.sum(steps > 0.3) == jumps


def test_exported_gmsh_files_are_read_by_gmsh_and_meshio(tmp_path):
    rect_with_tags().export(tmp_path / "m.msh")
    with gmsh_session():
        gmsh.open(str(tmp_path / "m.msh"))
        names = {gmsh.model.getPhysicalName(*group): group for group in gmsh.model.getPhysicalGroups()}
        assert names["half"][0] == 2
        assert names["inlet"][0] == 1
        nodes, _ = gmsh.model.mesh.getNodesForPhysicalGroup(*names["inlet"])
        assert len(nodes) == 3
        nodes, _ = gmsh.model.mesh.getNodesForPhysicalGroup(*names["half"])
        assert len(nodes) == 5 * 5
    mesh = meshio.read(tmp_path / "m.msh")
    assert sum(len(block.data) for block in mesh.cells if block.type == "triangle") == 2 * 8 * 4
    assert {"half", "inlet", "interior"} <= set(mesh.cell_sets)


def test_vtk_files_mark_the_tags_of_cells_and_facets(tmp_path):
    d = rect_with_tags()
    d.export(tmp_path / "m.vtu")
    mesh = meshio.read(tmp_path / "m.vtu")
    assert [block.type for block in mesh.cells] == ["triangle", "line"]
    on_cells, on_facets = mesh.cell_data["tag:half"]
    assert (on_cells.sum(), on_facets.sum()) == (32, 0)
    assert mesh.cell_data["tag:inlet"][1].sum() == 2
    assert mesh.point_data["tag:pin"].sum() == 1


@pytest.mark.parametrize("ending", ["msh", "vtu", "vtk"])
def test_names_of_tags_and_fields_may_hold_any_character(tmp_path, ending):
    d = domain.rect(mesh_size=0.25)
    names = ["two words", "Öl-Wand", 'quo"te', "a/b", "x<y&z", "100%20"]
    for name in names:
        d.tag(name, lambda x, y: x <= 0.5).tag(f"{name} wall", lambda x, y: x == 0.0)
        d.tag(f"{name} node", lambda x, y: (x == 0.0) & (y == 0.5))
    fields = {} if ending == "msh" else {"fields": dict.fromkeys(names, d.points[:, 0])}
    d.export(tmp_path / f"m.{ending}", **fields)
    assert set(domain(tmp_path / f"m.{ending}").available_mesh_tags) == set(d.available_mesh_tags)
    if ending == "vtu":
        assert set(names) <= set(meshio.read(tmp_path / "m.vtu").point_data)


def test_the_shortcuts_write_the_same_files(tmp_path):
    d = rect_with_tags()
    assert d.export_msh(tmp_path / "a" / "x.msh") is d
    assert d.export_vtk(tmp_path / "a" / "x.vtk") is d
    d.export_vtk(tmp_path / "b" / "x.data", "vtu")
    d.export(tmp_path / "b" / "y.data", "gmsh").export(tmp_path / "y.vtk")
    d.export(tmp_path / "z.MSH")
    assert (tmp_path / "a" / "x.msh").read_bytes() == (tmp_path / "b" / "y.data").read_bytes()
    assert (tmp_path / "a" / "x.msh").read_bytes() == (tmp_path / "z.MSH").read_bytes()
    assert (tmp_path / "a" / "x.vtk").read_bytes() == (tmp_path / "y.vtk").read_bytes()
    assert b"UnstructuredGrid" in (tmp_path / "b" / "x.data").read_bytes()


def test_default_places(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    d = domain.rect(mesh_size=0.5)
    d.variable("left")
    d.export_msh().export_vtk().plot_mesh().plot().export_interactive_html()
    written = {path.name for path in (tmp_path / "runs").iterdir()}
    assert written == {"domain.msh", "domain.vtk", "domain_mesh.png", "domain.png", "domain.html"}


@pytest.mark.parametrize("name", ["x.stl", "x.txt", "x", "x.step"])
def test_unsupported_formats(tmp_path, name):
    with pytest.raises(ValueError, match=rf"Unsupported export format '.*' for '.*{name}'; known are .*'msh'.*'vtu'"):
        domain.rect(mesh_size=0.5).export(tmp_path / name)
    with pytest.raises(ValueError, match="Unsupported export format 'msh' of export_vtk; it writes 'vtk' and 'vtu'"):
        domain.rect(mesh_size=0.5).export_vtk(tmp_path / "x.msh")


@pytest.mark.parametrize("name", ["x.msh", "x.vtu", "x.vtk", "x.png", "x.html", "x.pvd"])
def test_a_point_cloud_has_no_mesh_to_export(tmp_path, name):
    with pytest.raises(ValueError, match=r"no mesh to export.*savetxt"):
        domain.from_array({"a": np.zeros((3, 2))}).export(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_failed_export_leaves_nothing(tmp_path):
    d = domain.rect(mesh_size=0.5)
    for name in ("x.vtu", "x.pvd"):
        with pytest.raises(ValueError, match="shape"):
            d.export(tmp_path / name, fields={"u": np.zeros(4)})
    assert not list(tmp_path.iterdir())


# -- fields ----


def test_scalars_vectors_and_cell_data_come_back(tmp_path):
    d = domain.rect((0.0, 2.0), mesh_size=0.25)
    x, y = d.points.T
    centres = d.points[d.mesh.cells].mean(axis=1)
    fields = {
        "u": np.sin(x) * y,
        "flow": np.stack([-y, x], axis=1),
        "batched": (x + y)[None, None, :, None],
        "density": centres[:, 0],
        "drift": centres,
        "flag": x > 1.0,
    }
    d.export(tmp_path / "out.vtu", fields=fields)
    mesh = meshio.read(tmp_path / "out.vtu")
    assert np.allclose(mesh.points, np.column_stack([x, y, np.zeros_like(x)]))
    assert np.array_equal(mesh.point_data["u"], np.sin(x) * y)
    assert np.array_equal(mesh.point_data["flow"], np.stack([-y, x, np.zeros_like(x)], axis=1))
    assert np.array_equal(mesh.point_data["batched"], x + y)
    assert np.array_equal(mesh.point_data["flag"], (x > 1.0).astype(float))
    on_cells, on_facets = mesh.cell_data["density"]
    assert np.array_equal(on_cells, centres[:, 0])
    assert np.all(np.isnan(on_facets))
    assert np.array_equal(mesh.cell_data["drift"][0], np.column_stack([centres, np.zeros(len(centres))]))
    assert domain(tmp_path / "out.vtu").boundary_tags() == d.boundary_tags()


@pytest.mark.parametrize("d", [domain.line(mesh_size=0.25), domain.cube(mesh_size=0.5)])
def test_fields_in_one_and_three_dimensions(tmp_path, d):
    fields = {"u": d.points[:, 0] ** 2, "v": d.points, "tensor": np.ones((len(d.points), 9))}
    d.export(tmp_path / "out.vtk", fields=fields)
    mesh = meshio.read(tmp_path / "out.vtk")
    assert np.allclose(mesh.point_data["u"].ravel(), d.points[:, 0] ** 2)
    assert np.allclose(mesh.point_data["v"].reshape(d.points.shape), d.points)
    assert mesh.point_data["tensor"].shape == (len(d.points), 9)


def test_values_of_a_sampled_region(tmp_path):
    d = domain.rect(mesh_size=0.25)
    d.variable("interior")
    points = d.context["interior"][0, 0]
    assert np.array_equal(points, d.points)
    d.export(tmp_path / "out.vtu", fields={"r": np.hypot(*points.T)})
    assert np.array_equal(meshio.read(tmp_path / "out.vtu").point_data["r"], np.hypot(*d.points.T))


def read_series(path):
    """`(time, mesh)` of every level of a `.pvd` collection."""
    root = ElementTree.parse(path).getroot()
    assert root.get("type") == "Collection"
    entries = root.findall("./Collection/DataSet")
    return [(float(entry.get("timestep")), meshio.read(path.parent / entry.get("file"))) for entry in entries]


@pytest.mark.parametrize("times", [None, [0.0, 0.1, 5.0]])
def test_time_series(tmp_path, times):
    d = domain.rect(mesh_size=0.25, time=(0.0, 2.0, 3))
    levels = np.array([0.0, 1.0, 2.0] if times is None else times)
    decay = np.exp(-levels)[:, None] * d.points[:, 0]
    spin = levels[:, None, None] * d.points
    cells = levels[:, None] * np.ones(len(d.mesh.cells))
    fields = {"u": decay, "v": spin, "k": cells, "steady": d.points[:, 1]}
    d.export(tmp_path / "new" / "run.pvd", fields=fields, times=times)
    series = read_series(tmp_path / "new" / "run.pvd")
    assert [time for time, _ in series] == levels.tolist()
    for number, (_, mesh) in enumerate(series):
        assert np.array_equal(mesh.point_data["u"], decay[number])
        assert np.array_equal(mesh.point_data["v"][:, :2], spin[number])
        assert np.array_equal(mesh.cell_data["k"][0], cells[number])
        assert np.array_equal(mesh.point_data["steady"], d.points[:, 1])


def test_a_series_on_a_steady_domain_counts_its_levels(tmp_path):
    d = domain.line(mesh_size=0.5)
    d.export(tmp_path / "a & b.pvd", fields={"u": np.arange(12.0).reshape(4, 3)})
    series = read_series(tmp_path / "a & b.pvd")
    assert [time for time, _ in series] == [0.0, 1.0, 2.0, 3.0]
    assert series[2][1].point_data["u"].tolist() == [6.0, 7.0, 8.0]


def test_context_layout_is_a_series(tmp_path):
    d = domain.line(mesh_size=0.5, time=(0.0, 1.0, 2))
    d.export(tmp_path / "s.pvd", fields={"u": np.arange(6.0).reshape(1, 2, 3, 1)})
    assert [mesh.point_data["u"].tolist() for _, mesh in read_series(tmp_path / "s.pvd")] == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        (
            "x.vtu",
            {"fields": {"u": np.zeros(7)}},
            ValueError,
            r"'u' has the shape \(7,\); .* N = 9 nodes or N = 8 cells",
        ),
        ("x.vtu", {"fields": {"u": np.zeros((2, 9, 1, 1))}}, ValueError, r"'u' has the shape \(2, 9, 1, 1\)"),
        ("x.vtu", {"fields": {"u": 3.0}}, ValueError, r"'u' has the shape \(\)"),
        ("x.vtu", {"fields": {"u": np.zeros(9, complex)}}, ValueError, "'u' must hold real numbers; got dtype complex"),
        ("x.vtu", {"fields": {"u": ["a"] * 9}}, ValueError, "'u' must hold real numbers; got dtype <U1"),
        ("x.vtu", {"fields": {"tag:u": np.zeros(9)}}, ValueError, "without the prefix 'tag:'; got 'tag:u'"),
        ("x.vtu", {"fields": {"": np.zeros(9)}}, ValueError, "a non-empty string"),
        ("x.vtu", {"fields": {3: np.zeros(9)}}, ValueError, "a non-empty string .* got 3"),
        ("x.vtu", {"fields": np.zeros(9)}, TypeError, "fields must be a dict name -> values; got ndarray"),
        ("x.vtu", {"fields": {"u": np.zeros((3, 9))}}, ValueError, r"'u' has 3 time levels, a .vtu file holds one"),
        ("x.vtu", {"fields": {"u": np.zeros(9)}, "times": [0.0]}, ValueError, "times= belongs to a time series"),
        ("x.msh", {"fields": {"u": np.zeros(9)}}, ValueError, "can be written to .vtu, .vtk and .pvd files only"),
        ("x.png", {"fields": {"u": np.zeros(9)}}, ValueError, "can be written to .vtu, .vtk and .pvd files only"),
        ("x.pvd", {}, ValueError, r"needs a field of shape \(T, N\)"),
        ("x.pvd", {"fields": {"u": np.zeros(9)}}, ValueError, r"needs a field of shape \(T, N\)"),
        (
            "x.pvd",
            {"fields": {"u": np.zeros((3, 9)), "v": np.zeros((2, 9))}},
            ValueError,
            "same number of time levels; got {'u': 3, 'v': 2}",
        ),
        (
            "x.pvd",
            {"fields": {"u": np.zeros((3, 9))}, "times": [0.0, 1.0]},
            ValueError,
            "3 time levels, but there are 2 times",
        ),
        ("x.pvd", {"fields": {"u": np.zeros((2, 9))}, "times": [0.0, np.nan]}, ValueError, "times.* finite"),
    ],
)
def test_fields_that_do_not_fit(tmp_path, name, options, error, message):
    with pytest.raises(error, match=message):
        domain.rect(mesh_size=0.5).export(tmp_path / name, **options)


def test_times_of_the_domain_must_match_the_levels(tmp_path):
    d = domain.rect(mesh_size=0.5, time=(0.0, 1.0, 4))
    with pytest.raises(ValueError, match="3 time levels, but there are 4 times; give times= with one per level"):
        d.export(tmp_path / "x.pvd", fields={"u": np.zeros((3, 9))})


# -- pictures ----

HEADS = {"png": b"\x89PNG", "jpg": b"\xff\xd8\xff", "jpeg": b"\xff\xd8\xff", "svg": b"<?xml", "pdf": b"%PDF"}


@pytest.mark.parametrize("ending", HEADS)
def test_pictures_are_real_files(tmp_path, ending):
    path = tmp_path / "new" / f"mesh.{ending}"
    domain.rect(mesh_size=0.25).export(path, figsize=(4, 3))
    assert path.read_bytes().startswith(HEADS[ending])
    if ending == "svg":
        assert ElementTree.parse(path).getroot().tag.endswith("svg")
    if ending in ("png", "jpg", "jpeg"):
        pixels = matplotlib.image.imread(path)
        assert pixels.shape[:2] == (450, 600)
        assert pixels[..., :3].std() > 0.01 * pixels.max()


@pytest.mark.parametrize("d", [domain.line(), domain.rect(mesh_size=0.25), domain.cube(mesh_size=0.5)])
def test_every_dimension_is_drawn_with_and_without_samples(tmp_path, d):
    d = d.copy()
    d.plot_mesh(tmp_path / "bare.png", figsize=(4, 3))
    for tag in ("left", "boundary"):
        d.variable(tag, normals=True)
    d.plot_mesh(tmp_path / "sampled.png", figsize=(4, 3))
    d.plot_mesh(tmp_path / "hidden.png", figsize=(4, 3), show_sampled=False)
    d.plot(tmp_path / "deep" / "normals.png", figsize=(4, 3))
    d.plot(tmp_path / "plain.png", figsize=(4, 3), show_normals=False)
    bare, sampled, hidden, normals, plain = (
        matplotlib.image.imread(tmp_path / name)
        for name in ("bare.png", "sampled.png", "hidden.png", "deep/normals.png", "plain.png")
    )
    assert np.array_equal(bare, hidden)
    assert not np.array_equal(bare, sampled)
    assert not np.array_equal(normals, plain)


def test_pictures_leave_pyplot_alone(tmp_path):
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    domain.rect(mesh_size=0.5).plot_mesh(tmp_path / "m.png")
    assert plt.get_fignums() == before


def test_plot_without_samples_warns_and_writes_nothing(tmp_path):
    with pytest.warns(UserWarning, match="Nothing has been sampled"):
        domain.rect(mesh_size=0.5).plot(tmp_path / "p.png")
    assert not list(tmp_path.iterdir())


def test_a_point_cloud_can_be_plotted(tmp_path):
    d = domain.from_array(
        {"a": np.random.default_rng(0).random((20, 3)), "b": np.ones((1, 3)), "empty": np.zeros((0, 3))}
    )
    d.plot(tmp_path / "cloud.png", figsize=(4, 3))
    assert matplotlib.image.imread(tmp_path / "cloud.png").shape[:2] == (450, 600)


def test_a_polygon_domain_is_plotted_before_it_is_meshed(tmp_path):
    d = domain.csg([(0, 0), (1, 0), (0, 1)])
    d.variable("boundary", (20, None), normals=True)
    d.plot(tmp_path / "p.png", figsize=(4, 3))
    assert (tmp_path / "p.png").stat().st_size > 3000
    with pytest.raises(ValueError, match="no mesh to export"):
        d.export(tmp_path / "p.msh")


def test_time_dependent_and_batched_samples_are_plotted(tmp_path):
    d = 3 * domain.rect(mesh_size=0.25, time=(0.0, 1.0, 4))
    d.variable("interior", (5, None))
    d.variable("top", normals=True)
    d.plot(tmp_path / "p.svg", figsize=(4, 3))
    text = (tmp_path / "p.svg").read_text()
    assert "interior (5)" in text
    assert "top (5)" in text


@pytest.mark.parametrize("size", [(0, 3), "large", (1, 2, 3), (4, np.inf)])
def test_sizes_of_pictures_are_checked(tmp_path, size):
    with pytest.raises(ValueError, match="figsize must be two positive finite numbers, width and height in inches"):
        domain.rect(mesh_size=0.5).plot_mesh(tmp_path / "m.png", figsize=size)


def test_unknown_picture_formats_are_named(tmp_path):
    d = domain.rect(mesh_size=0.5)
    d.variable("left")
    for draw in (d.plot, d.plot_mesh):
        with pytest.raises(ValueError, match="'xyz' is not supported"):
            draw(tmp_path / "p.xyz")


# -- interactive pictures ----


@pytest.mark.parametrize("d", [domain.line(), domain.rect(mesh_size=0.5), domain.cube(mesh_size=0.5)])
def test_interactive_pages_hold_the_mesh_and_the_samples(tmp_path, d):
    d = d.copy()
    d.variable("left")
    d.export(tmp_path / "deep" / "m.html")
    page = (tmp_path / "deep" / "m.html").read_text(encoding="utf-8")
    assert "<html>" in page[:100]
    assert "plotly.js v" in page  # no network is needed
    assert '"name":"mesh"' in page
    assert '"name":"left"' in page
    d.export_interactive_html(tmp_path / "bare.htm", show_sampled=False)
    assert '"name":"left"' not in (tmp_path / "bare.htm").read_text(encoding="utf-8")


def test_interactive_plots(tmp_path):
    d = domain.cube(mesh_size=0.5)
    d.variable("left")
    d.plot(tmp_path / "a.html")
    d.plot(tmp_path / "b.png", interactive=True)
    assert {path.name for path in tmp_path.iterdir()} == {"a.html", "b.html"}
    assert '"name":"left"' in (tmp_path / "b.html").read_text(encoding="utf-8")


# -- missing packages ----


def without(monkeypatch, package):
    """Imports of the package fail as if it were not installed."""
    real = builtins.__import__

    def importing(name, *rest, **options):
        if name.partition(".")[0] == package:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *rest, **options)

    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(builtins, "__import__", importing)


def test_without_plotly_the_extra_is_named(monkeypatch, tmp_path):
    without(monkeypatch, "plotly")
    with pytest.raises(ImportError, match=r"need plotly: pip install 'jno-jax\[viz\]'"):
        domain.rect(mesh_size=0.5).export(tmp_path / "m.html")


@pytest.mark.parametrize("build", [domain.line, domain.rect, domain.cube])
def test_elements_by_kind_are_those_of_meshio(build, tmp_path):
    d = build(mesh_size=0.5)
    d.export(tmp_path / "m.vtu")
    read = meshio.read(tmp_path / "m.vtu").cells_dict
    assert list(read) == list(d.mesh.cells_dict)
    assert all(np.array_equal(d.mesh.cells_dict[kind], elements) for kind, elements in read.items())


def test_without_meshio_the_extra_is_named(monkeypatch, tmp_path):
    without(monkeypatch, "meshio")
    d = domain.rect(mesh_size=0.5)
    with pytest.raises(ImportError, match=r"Writing VTK files needs meshio: pip install 'jno-jax\[mesh\]'"):
        d.export(tmp_path / "m.vtu")
    d.export(tmp_path / "m.msh")
    assert domain(tmp_path / "m.msh").boundary_tags() == d.boundary_tags()


# -- summary ----


def test_summary(capfd):
    d = domain.rect((0.0, 2.0), mesh_size=0.5, time=(0.0, 1.0, 3)) < ("nu", 0.5)
    d.variable("k", np.ones((1, 3)))
    assert d.summary() is d
    text = capfd.readouterr().out
    for part in ("2-D, Mesh(15 points, 16 triangle cells", "(0.0, 1.0, 3)", "batch rows: 1", "parameter nu: 0.5"):
        assert part in text
    assert "interior: 15 points, [0, 2] x [0, 1]" in text
    assert "left: 3 points, [0, 0] x [0, 1], mean normal [-1.0, 0.0]" in text
    assert "data k: shape" in text


def test_summary_of_domains_without_a_mesh(capfd):
    domain.from_array({"a": np.zeros((3, 2)), "none": np.zeros((0, 2))}).summary()
    text = capfd.readouterr().out
    assert "point cloud" in text
    assert "none: 0 points, empty" in text
    domain.csg([(0, 0), (1, 0), (0, 1)]).summary()
    text = capfd.readouterr().out
    assert "regions without a mesh" in text
    assert "interior: drawn from the area" in text
    assert "boundary: drawn from the boundary" in text
