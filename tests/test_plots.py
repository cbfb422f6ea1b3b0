"""Pictures of expressions: the right numbers at the right places, shared colours, files, errors."""

import sys

import blackjax
import numpy as np
import optax
import pytest
import shapely
from helpers import mlp
from PIL import Image
from shapely.geometry import Point

import jno
from jno.plots._evaluation import scattered
from jno.plots._places import inside, places_of
from jno.plots._sections import middle_sections

π, sin, cos = np.pi, jno.np.sin, jno.np.cos


@pytest.fixture(scope="module")
def plate():
    """A core on a square, two fields and the coordinates."""
    x, y, _ = jno.domain.rect(mesh_size=0.25).variable("interior")
    u = (sin(π * x) * y).name("u")
    exact = (u + 0.1 * x).name("exact")
    return jno.core([u.mse]), u, exact, x, y


@pytest.fixture(scope="module")
def wave():
    """A core on a line with time, and a field."""
    x, t = jno.domain.line(mesh_size=0.1, time=(0.0, 1.0, 6)).variable("interior")
    u = (sin(π * x) * jno.np.exp(-t)).name("u")
    return jno.core([u.mse]), u, x, t


def maps(figure):
    """What is coloured in each panel, bars left out."""
    return [axes.collections[0] for axes in figure.axes if axes.collections and axes.get_xlabel()]


def area(points, triangles):
    (x, y), a, b = np.moveaxis(points[triangles], 1, 0)[0].T, *np.moveaxis(points[triangles], 1, 0)[1:]
    (ax, ay), (bx, by) = a.T, b.T
    return np.abs((ax - x) * (by - y) - (bx - x) * (ay - y)).sum() / 2


# --- places -------------------------------------------------------------------------------------------------------
def test_triangles_cover_the_geometry():
    holed = jno.domain.csg([(0, 0), (2, 0), (2, 1), (0, 1)]) - jno.domain(Point(1.0, 0.5).buffer(0.25))
    exact = holed.geometry.lazy.active.area
    places = places_of(holed.geometry, "interior")
    assert area(places.points, places.triangles) == pytest.approx(exact, rel=2e-3)
    mesh = jno.domain.disk(mesh_size=0.3)
    places = places_of(mesh.geometry, "interior")
    assert len(places.triangles) >= 6000
    corners = mesh.mesh.cells
    assert area(places.points, places.triangles) == pytest.approx(area(mesh.points, corners), rel=1e-9)


def test_triangles_between_samples_lie_in_the_geometry():
    domain = jno.domain.l_shape(mesh_size=0.2)
    random = np.random.default_rng(0)
    points = random.uniform(domain.points.min(axis=0), domain.points.max(axis=0), (4000, 2))
    points = points[inside(domain.geometry, points)]
    places = scattered(points, domain.geometry)
    assert area(places.points, places.triangles) == pytest.approx(area(domain.points, domain.mesh.cells), rel=0.03)


def test_sections_of_a_body_have_the_area_of_its_cut():
    mesh = jno.domain.cube(mesh_size=0.3).mesh
    points, sections = middle_sections(mesh)
    assert [(section.axis, section.level) for section in sections] == [(2, 0.5), (1, 0.5), (0, 0.5)]
    for section in sections:
        on_plane = points[section.rows]
        np.testing.assert_allclose(on_plane[:, section.axis], 0.5)
        assert area(on_plane[:, section.plane], section.triangles) == pytest.approx(1.0, rel=1e-6)


# --- fields ---------------------------------------------------------------------------------------------------------
def test_a_map_has_the_values_of_the_expression(plate):
    crux, _u, _, x, y = plate
    (image,) = maps(crux.plot(2 * x + y))
    corners = image._triangulation
    np.testing.assert_allclose(image.get_array(), 2 * corners.x + corners.y, atol=1e-5)
    assert image.get_clim() == pytest.approx((0.0, 3.0), abs=1e-5)


def test_numbers_at_a_colour_bar_share_their_power_of_ten(plate):
    crux, u, *_ = plate
    figure = crux.plot((2e-4 * u).name("small"), dpi=50)
    bar = figure.axes[1]
    figure.draw_without_rendering()
    assert "10^{" in bar.yaxis.get_offset_text().get_text()
    decimals = {len(label.get_text().partition(".")[2]) for label in bar.get_yticklabels()}
    assert len(decimals) == 1  # as many behind the point of each


def test_fields_share_their_colours_and_differences_are_symmetric(plate):
    crux, u, exact, _, _ = plate
    figure = crux.plot([u, exact, u - exact, abs(u - exact)])
    left, middle, difference, size = maps(figure)
    assert left.get_clim() == middle.get_clim()
    assert left.get_cmap().name == "viridis"
    assert difference.get_clim() == pytest.approx((-0.1, 0.1), abs=1e-6)
    assert difference.get_cmap().name == "RdBu_r"
    assert size.get_clim() == pytest.approx((0.0, 0.1), abs=1e-6)
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["u", "exact", r"$u - \mathrm{exact}$", r"$\left| u - \mathrm{exact} \right|$"]
    alone = maps(crux.plot([u, exact], share=False, cmap="magma"))
    assert alone[0].get_clim() != alone[1].get_clim()
    assert alone[0].get_cmap().name == "magma"


def test_vectors_have_arrows_over_their_norm(plate):
    crux, _u, _, x, y = plate
    figure = crux.plot(jno.np.vector(3 * x, 4 * x).name("v"))
    image, arrows = figure.axes[0].collections
    np.testing.assert_allclose(image.get_array(), 5 * image._triangulation.x, atol=1e-5)
    shown = np.isfinite(arrows.U)
    np.testing.assert_allclose(arrows.V[shown], arrows.U[shown] * 4 / 3, rtol=1e-4)
    parts = crux.plot(jno.np.vector(x, y, x * y).name("w"))
    assert [axes.get_title() for axes in parts.axes if axes.get_title()] == [f"w, component {k}" for k in (1, 2, 3)]


def pieces(lines):
    """The straight pieces (N, 2, 2) of lines of two points or of many, as Matplotlib's version has them."""
    return np.concatenate([np.stack([line[:-1], line[1:]], axis=1) for line in lines.get_segments()])


def test_streamlines_follow_the_field(plate):
    crux, _u, _, x, y = plate
    figure = crux.plot(jno.np.vector(-y, x).name("v"), vectors="streamlines")
    _image, lines = figure.axes[0].collections
    segments = pieces(lines)
    assert len(segments) > 200
    radii = np.linalg.norm(segments, axis=-1)  # lines of a rotation are circles
    np.testing.assert_allclose(radii[:, 0], radii[:, 1], atol=2e-3)
    assert figure.axes[0].get_xlim() == pytest.approx((0.0, 1.0))
    crux.plot(jno.np.vector(0 * x, 0 * y), vectors="streamlines")  # a field that is zero has none


def test_streamlines_of_no_vector_field_are_refused(plate):
    crux, u, *_ = plate
    with pytest.raises(ValueError, match=r"plot\(vectors='streamlines'\): none of the expressions is a vector field"):
        crux.plot(u, vectors="streamlines")


def test_streamlines_end_at_the_boundary():
    ring = jno.domain.csg([(0, 0), (2, 0), (2, 1), (0, 1)]) - jno.domain(Point(1.0, 0.5).buffer(0.25))
    x, y, _ = ring.variable("interior", sample=(20, None))
    figure = jno.core([x.mse]).plot(jno.np.vector(1 + 0 * x, 0 * y).name("v"), vectors="streamlines")
    middles = pieces(figure.axes[0].collections[1]).mean(axis=1)
    assert len(middles) > 100
    region = shapely.box(0, 0, 2, 1) - Point(1.0, 0.5).buffer(0.25)
    assert shapely.distance(region, shapely.points(middles)).max() < 1e-9


def test_complex_fields_have_two_parts(plate):
    crux, _, _, x, _ = plate
    real, imaginary = maps(crux.plot((jno.np.exp(1j * x)).name("z")))
    np.testing.assert_allclose(real.get_array(), np.cos(real._triangulation.x), atol=1e-5)
    np.testing.assert_allclose(imaginary.get_array(), np.sin(real._triangulation.x), atol=1e-5)


def test_boundary_values_are_points(plate):
    crux, *_ = plate
    xb, yb, _, nx, _ = crux.domain.variable("boundary", normals=True, split=True)
    (points,) = maps(crux.plot(xb - yb))
    np.testing.assert_allclose(points.get_array(), points.get_offsets() @ [1.0, -1.0], atol=1e-6)
    (normals,) = maps(crux.plot(nx))
    right = normals.get_offsets()[:, 0] > 1 - 1e-9
    assert normals.get_array()[right].min() > 0.5


def test_what_belongs_to_the_samples_is_drawn_at_them(plate):
    crux, _, _, x, y = plate
    (image,) = maps(crux.plot(y * x.integrate()))
    np.testing.assert_allclose(image.get_array(), image._triangulation.y / 2, atol=1e-5)
    (stencil,) = maps(crux.plot((x * y).d(x, "finite_difference")))
    assert len(stencil.get_array()) == len(crux.domain.points)
    np.testing.assert_allclose(stencil.get_array(), stencil._triangulation.y, atol=1e-4)


def test_other_places(plate):
    crux, _, _, x, y = plate
    cloud = np.random.default_rng(0).uniform(2, 3, (300, 2))
    (image,) = maps(crux.plot(x + y, domain=cloud))
    assert image._triangulation.x.min() > 2
    fine = jno.domain.rect((0, 3), (0, 1), mesh_size=0.2)
    (image,) = maps(crux.plot(x + y, domain=fine))
    assert image.get_clim() == pytest.approx((0.0, 4.0), abs=1e-5)


def test_data_of_the_domain_that_is_drawn():
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    c = domain.variable("c", np.array([[2.0]]))
    crux = jno.core([(c * x).mse])
    fine = jno.domain.line(mesh_size=0.1)
    fine.variable("interior")
    fine.variable("c", np.array([[3.0]]))
    exact = fine.variable("exact", 3 * fine.points[None, None] + 0.5)
    fields, difference = crux.plot([(c * x).name("u"), exact, exact - c * x], domain=fine).axes
    at, values = fields.lines[0].get_data()
    np.testing.assert_allclose(values, 3 * at, atol=1e-6)
    np.testing.assert_allclose(difference.lines[0].get_ydata(), 0.5, atol=1e-6)


def test_axes_have_the_names_of_coordinates():
    x, t, _ = jno.domain.rect((0, 4), (0, 1), mesh_size=0.5).variable("interior")
    t.name("t")
    crux = jno.core([(x * t).mse])
    figure = crux.plot([x * t, x + t])
    assert [(axes.get_xlabel(), axes.get_ylabel()) for axes in figure.axes if axes.get_xlabel()] == [("x", "t")] * 2
    left, below = (axes.get_position() for axes in figure.axes if axes.get_xlabel())
    assert left.y0 > below.y1  # wide panels stand above one another


# --- curves and time --------------------------------------------------------------------------------------------------
def test_curves_share_a_panel_and_differences_have_their_own():
    x, _ = jno.domain.line(mesh_size=0.1).variable("interior")
    crux = jno.core([x.mse])
    figure = crux.plot([sin(x), cos(x), sin(x) - cos(x)])
    fields, difference = figure.axes
    assert [line.get_label() for line in fields.lines] == [r"$\sin(x)$", r"$\cos(x)$"]
    at, values = difference.lines[0].get_data()
    np.testing.assert_allclose(values, np.sin(at) - np.cos(at), atol=1e-5)
    assert len(at) > 200


def test_a_line_and_time_is_a_map_or_curves(wave):
    crux, u, _, _ = wave
    (image,) = maps(crux.plot(u))
    assert image.get_array().shape == (401, 101)
    assert image.get_clim() == pytest.approx((0.0, 1.0), abs=1e-5)
    figure = crux.plot(u, times=[0.0, 0.25])
    first, second = figure.axes[0].lines
    np.testing.assert_allclose(second.get_ydata(), np.exp(-0.25) * first.get_ydata(), atol=1e-5)
    assert [line.get_label() for line in (first, second)] == ["t = 0", "t = 0.25"]


def test_a_plane_and_time_is_a_row_of_maps():
    x, y, t = jno.domain.rect(mesh_size=0.5, time=(0.0, 3.0, 7)).variable("interior")
    crux = jno.core([(x * t).mse])
    figure = crux.plot([(x * t).name("u"), x.name("x0")])
    titles = [axes.get_title() for axes in figure.axes if axes.get_title()]
    assert titles == ["u, t = 0.00", "u, t = 1.00", "u, t = 2.00", "u, t = 3.00", "x0"]
    assert {image.get_clim() for image in maps(figure)} == {(0.0, 3.0)}
    integral = crux.plot((x.integrate() * t * y).name("i"), times=[0.0, 1.5])
    assert [axes.get_title() for axes in integral.axes if axes.get_title()] == ["i, t = 0.00", "i, t = 1.50"]
    assert maps(integral)[1].get_clim()[1] == pytest.approx(0.75, abs=1e-5)


def test_functions_of_time_alone():
    domain = jno.domain.line(mesh_size=0.5, time=(0.0, 2.0, 21))
    _, t = domain.variable("interior")
    crux = jno.core([t.mse], domain=domain)
    line = crux.plot(sin(t)).axes[0].lines[0]
    np.testing.assert_allclose(line.get_ydata(), np.sin(np.linspace(0, 2, 21)), atol=1e-6)


def test_draws_have_a_band():
    domain = jno.domain.line(mesh_size=0.5)
    x, _ = domain.variable("interior")
    k = jno.np.parameter((), name="k")
    k.bayesian(blackjax.mala, step_size=0.1, warmup=5, keep=20, num_chains=2)
    crux = jno.core([((k - 1.0) * x).mse])
    crux.solve(25)
    draws = np.asarray(k.posterior_samples).ravel()
    axes = crux.plot((k * x).name("kx")).axes[0]
    at, mean = axes.lines[0].get_data()
    np.testing.assert_allclose(mean, draws.mean() * at, atol=1e-5)
    ends = axes.collections[0].get_paths()[0].vertices
    np.testing.assert_allclose(ends[:, 1].max(), np.quantile(draws, 0.975), atol=1e-4)
    plane = jno.domain.rect(mesh_size=0.5)
    xp, _, _ = plane.variable("interior")
    crux = jno.core([((k - 1.0) * xp).mse])
    _mean_map, width = maps(crux.plot((k * xp).name("kx")))
    assert width.get_clim()[1] == pytest.approx(np.diff(np.quantile(draws, [0.025, 0.975]))[0], abs=1e-4)


def test_samples():
    domain = 3 * jno.domain.line(mesh_size=0.25)
    x, _ = domain.variable("interior")
    c = domain.variable("c", np.array([[1.0], [2.0], [5.0]]))
    crux = jno.core([(c * x).mse])
    assert crux.plot(c * x, sample=2).axes[0].lines[0].get_ydata().max() == pytest.approx(5.0)
    with pytest.raises(ValueError, match=r"plot\(sample=3\): the domain has 3 samples, counted from 0"):
        crux.plot(c * x, sample=3)


def test_many_samples_are_drawn_on_the_mesh_as_it_is():
    domain = 20 * jno.domain.rect(mesh_size=0.25)
    x, _, _ = domain.variable("interior")
    c = domain.variable("c", np.arange(20.0)[:, None])
    (image,) = maps(jno.core([(c * x).mse]).plot(c * x, sample=7))
    assert len(image.get_array()) == 25
    np.testing.assert_allclose(image.get_array(), 7 * image._triangulation.x, rtol=1e-5)


def test_space():
    domain = jno.domain.cube(mesh_size=0.5)
    x, _y, z, _ = domain.variable("interior")
    xb, _, zb, _ = domain.variable("boundary")
    crux = jno.core([x.mse])
    sections = maps(crux.plot((x + z).name("u")))
    assert len(sections) == 3
    titles = [axes.get_title() for axes in crux.plot((x + z).name("u")).axes if axes.get_title()]
    assert titles == ["u, z = 0.5", "u, y = 0.5", "u, x = 0.5"]
    np.testing.assert_allclose(sections[0].get_array(), sections[0]._triangulation.x + 0.5, atol=1e-5)
    (surface,) = maps(crux.plot(xb + zb))
    assert surface.get_array().max() == pytest.approx(2.0, abs=0.05)
    assert len(surface.get_array()) >= 2000


# --- files ----------------------------------------------------------------------------------------------------------
def test_files(plate, tmp_path):
    crux, u, exact, _, _ = plate
    for name in ("u.png", "u.svg", "deep/u.pdf"):
        crux.plot([u, exact], tmp_path / name, figsize=(6, 3), dpi=50)
        assert (tmp_path / name).stat().st_size > 2000
    with Image.open(tmp_path / "u.png") as picture:
        assert picture.size == (300, 150)
    assert crux.plot(u)._repr_png_().startswith(b"\x89PNG")


def test_animations(wave, tmp_path):
    crux, u, x, _ = wave
    crux.plot([u, x], tmp_path / "u.gif", times=[0.0, 0.5, 1.0], dpi=40)
    with Image.open(tmp_path / "u.gif") as frames:
        assert frames.n_frames == 3
    with pytest.raises(ValueError, match=r"nothing here depends on time; write a picture such as \.png"):
        crux.plot(x, tmp_path / "x.gif")


def test_mp4_needs_ffmpeg(wave, tmp_path, monkeypatch):
    from matplotlib.animation import FFMpegWriter

    crux, u, _, _ = wave
    monkeypatch.setattr(FFMpegWriter, "isAvailable", classmethod(lambda cls: False))
    with pytest.raises(RuntimeError, match=r"needs the program ffmpeg, which is not installed; write a \.gif instead"):
        crux.plot(u, tmp_path / "u.mp4")


def test_scenes(tmp_path, monkeypatch, plate):
    x, y, z, _ = jno.domain.cube(mesh_size=0.5).variable("interior")
    crux = jno.core([x.mse])
    crux.plot([(x * y).name("u"), z], tmp_path / "u.html")
    page = (tmp_path / "u.html").read_text(encoding="utf-8")
    assert page.count('"showscale":') >= 6
    assert 'src="http' not in page
    with pytest.raises(ValueError, match=r"pages are scenes in space, and u is not in space"):
        plate[0].plot(plate[1], tmp_path / "flat.html")
    monkeypatch.setitem(sys.modules, "plotly", None)
    with pytest.raises(ImportError, match=r"need plotly: pip install 'jno-jax\[viz\]'"):
        crux.plot(x, tmp_path / "u.html")


def test_losses_are_a_panel():
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    u = mlp(1, width=4, layers=1, name="u")
    u.optimizer(optax.adam(1e-2))
    crux = jno.core([(u(x) - x).mse])
    with pytest.raises(ValueError, match=r"plot\(losses=True\): nothing has been trained"):
        crux.plot(u(x), losses=True)
    history = crux.solve(7)
    loss = crux.plot(u(x), losses=True).axes[1]
    np.testing.assert_array_equal(loss.lines[0].get_ydata(), history.total_loss_history)
    assert loss.get_yscale() == "log"


# --- errors ---------------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"path": 3}, TypeError, r"plot\(path=3\): path must be the path of a file"),
        ({"times": "soon"}, ValueError, r"plot\(times='soon'\): times must be a number, or a list"),
        ({"times": []}, ValueError, r"plot\(times=\[\]\)"),
        ({"sample": -1}, ValueError, r"plot\(sample=-1\): sample must be an integer of at least 0"),
        ({"share": 1}, TypeError, r"plot\(share=1\): share must be True or False"),
        ({"losses": "yes"}, TypeError, r"plot\(losses='yes'\)"),
        ({"cmap": "rainbows"}, ValueError, r"plot\(cmap='rainbows'\): cmap must be a colour map of matplotlib"),
        ({"figsize": (1, 0)}, ValueError, r"plot\(figsize=\(1, 0\)\): figsize must be two positive numbers"),
        ({"vectors": "lines"}, ValueError, r"plot\(vectors='lines'\): vectors must be one of 'arrows', 'streamlines'"),
        ({"dpi": 1}, ValueError, r"plot\(dpi=1\): dpi must be an integer"),
    ],
)
def test_wrong_options_are_refused(plate, options, error, message):
    crux, u, *_ = plate
    with pytest.raises(error, match=message):
        crux.plot(u, **options)


def test_what_cannot_be_drawn_is_refused(plate):
    crux, u, _, x, y = plate
    xb, _yb, _ = crux.domain.variable("left")
    with pytest.raises(ValueError, match=r"depends on no points; what is drawn"):
        crux.plot(u.integrate())
    with pytest.raises(ValueError, match=r"depends on 'interior', 'left'; what is drawn is an expression over"):
        crux.plot(x * xb)
    with pytest.raises(TypeError, match=r"plot\(\): entry 0 of the list is no expression"):
        crux.plot("u")
    other, _, _ = jno.domain.rect(mesh_size=0.5).variable("interior")
    with pytest.raises(ValueError, match=r"plot\(\): 'interior' belongs to domain"):
        crux.plot(other)
    with pytest.raises(ValueError, match=r"has 7 components, and at most 6 are drawn"):
        crux.plot(jno.np.vector(*[x * k for k in range(7)]))
    with pytest.raises(ValueError, match=r"has a matrix at every point; draw some of its entries"):
        crux.plot(u.hessian(x, y))


def test_losses_and_numbers_are_refused(plate):
    crux, u, *_ = plate
    with pytest.raises(ValueError, match=r"one number for each sample; what is drawn"):
        crux.plot(u.mse)


def test_times_outside_of_the_levels_are_refused(wave):
    crux, _u, x, t = wave
    with pytest.raises(ValueError, match=r"plot\(times=\[2\.0\]\): .* is known at the time levels"):
        crux.plot(t * x.integrate() * x, times=2.0)
