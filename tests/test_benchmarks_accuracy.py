"""The table of accuracy: references, what makes a cell stale, the table, and natural gradients on its hard starts."""

import json

import jax
import numpy as np
import optax
import pytest
from scipy.sparse import diags_array, eye_array, kron
from scipy.sparse.linalg import spsolve
from scipy.spatial import KDTree

import jno
from benchmarks.accuracy import __main__ as command
from benchmarks.accuracy import _case, _results, _table
from benchmarks.accuracy.cases import (
    allen_cahn,
    bayesian_reaction,
    burgers_1d_c,
    cavity_re100,
    cavity_re1000,
    fno_darcy,
    heat_2d_cg,
    heat_2d_vc,
    inverse_diffusivity,
    kdv,
    ns_2d_cg,
    poisson_2d_c,
    poisson_2d_cg,
    poisson_3d_cg,
)


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", _case.ORDER)
def test_every_row_says_what_it_is_and_what_it_shall_reach(name):
    case = _case.load(name)
    assert case.target > 0
    assert case.seconds <= 240
    assert 3 <= case.lines <= 60
    text = (_case.CASES / f"{name}.py").read_text()
    assert "before the first recorded run" in text


# --- references ------------------------------------------------------------------------------------------------------
def test_cole_hopf_equals_the_trapezoidal_rule():
    x, t = np.linspace(-1, 1, 41), np.array([0.05, 0.5, 1.0])
    s = np.linspace(-16, 16, 4001)
    z = x[None, :, None] - np.sqrt(4 * burgers_1d_c.NU * t)[:, None, None] * s
    exponent = -np.cos(np.pi * z) / (2 * np.pi * burgers_1d_c.NU) - s**2
    density = np.exp(exponent - exponent.max(axis=-1, keepdims=True))
    exact = -(np.sin(np.pi * z) * density).sum(axis=-1) / density.sum(axis=-1)
    np.testing.assert_allclose(burgers_1d_c.cole_hopf(x, t), exact, atol=1e-13)


def test_the_harmonic_series_has_the_boundary_values():
    """The largest error of a harmonic function is on the boundary; the function checks it at other points too."""
    values = poisson_2d_c.harmonic_series()
    np.testing.assert_allclose(values(poisson_2d_c.square(132)), 1.0, atol=1e-9)
    np.testing.assert_allclose(values(poisson_2d_c.circles(37)), 0.0, atol=1e-9)


def test_the_waves_of_korteweg_and_de_vries_keep_mass_and_energy():
    x, values = kdv.spectral([0.05, 0.3], step=5e-4)
    np.testing.assert_allclose(values.mean(axis=1), np.cos(np.pi * x).mean(), atol=1e-12)
    np.testing.assert_allclose((values**2).mean(axis=1), 0.5, rtol=1e-6)


def test_the_steps_of_allen_and_cahn_are_of_second_order():
    coarse, middle, fine = (allen_cahn.split_steps([0.4], step, modes=256)[1] for step in (0.02, 0.01, 0.005))
    order = np.log2(np.linalg.norm(coarse - middle) / np.linalg.norm(middle - fine))
    assert order == pytest.approx(2.0, abs=0.1)


def test_the_kink_diffuses(double_precision):
    """It solves the heat equation and takes away the slope of the initial value at the end."""

    def kink(x, t):
        return allen_cahn.diffused_kink(x, t)

    x, t = 0.995, 0.2
    slope = jax.grad(kink)
    diffusion = allen_cahn.DIFFUSION * jax.grad(slope)(x, t)
    assert float(jax.grad(kink, 1)(x, t)) == pytest.approx(float(diffusion), rel=1e-9)
    assert float(slope(1.0, t)) == pytest.approx(2.0, rel=1e-12)


def test_the_source_belongs_to_the_diffusivity(double_precision):
    """By the divergence of the flux at one point, against the residual that is trained."""

    def flux(x, y, axis):
        u = lambda a, b: jax.numpy.sin(np.pi * a) * jax.numpy.sin(np.pi * b)  # noqa: E731
        return inverse_diffusivity.diffusivity(x, y) * jax.grad(u, axis)(x, y)

    x, y = 0.3, 0.8
    divergence = jax.grad(flux, 0)(x, y, 0) + jax.grad(flux, 1)(x, y, 1)
    assert float(inverse_diffusivity.source(x, y, jax.numpy)) == pytest.approx(-float(divergence), rel=1e-12)


def test_the_diffusivity_is_the_exponential_of_a_normal_field():
    side = np.arange(64) / 64  # one period; the waves are slower than those of the grid
    x, y = (axis.ravel() for axis in np.meshgrid(side, side))
    logarithm = np.log(heat_2d_vc.diffusivity(x, y))
    assert logarithm.mean() == pytest.approx(0.0, abs=1e-12)
    assert logarithm.std() == pytest.approx(1.0, rel=1e-12)


def test_sines_for_the_swinging_source_converge_and_begin_at_zero():
    times = np.array([0.0, 0.01, 0.3, 1.1, 4.9])
    coarse, values = (heat_2d_vc.reference(times, count)[1].reshape(5, count, count) for count in (15, 31))
    np.testing.assert_allclose(values[0], 0.0, atol=1e-12)
    assert _case.relative_l2(coarse, values[:, 1::2, 1::2]) < 5e-3


def test_the_swinging_solution_satisfies_its_equation():
    """By differences in time, and by those of the fourth order in space at the middle of the nodes."""
    count, step, t = 47, 1e-4, 0.7
    nodes, (before, values, after) = heat_2d_vc.reference([t - step, t, t + step])
    x, y = nodes.T.reshape(2, count, count)
    field = values.reshape(count, count)
    shifted = [np.roll(field, k, axis) for axis in (0, 1) for k in (1, -1, 2, -2)]
    laplacian = sum(w * s for w, s in zip([16, 16, -1, -1] * 2, shifted, strict=True)) - 60 * field
    laplacian *= (count + 1) ** 2 / 12
    rate = ((after - before) / (2 * step)).reshape(count, count)
    source = 200 * np.sin(np.pi * x) * np.sin(5 * np.pi * y) * np.sin(np.pi * t)
    lack = rate - heat_2d_vc.diffusivity(x.ravel(), y.ravel()).reshape(count, count) * laplacian - source
    inner = (slice(3, -3), slice(3, -3))
    assert np.linalg.norm(lack[inner]) < 1e-2 * np.linalg.norm(source[inner])


def test_what_the_walls_of_the_plate_do_lacks_what_is_said():
    """Derivatives by differences; the condition of a circle holds for its own part, which is all at early times."""
    points, normals = heat_2d_cg.collocation(0)
    inside = points["interior"][points["interior"][:, 2] > 0.01][:300]
    value, gradient, lack = heat_2d_cg.walls(inside)
    step, shifts = 1e-4, np.eye(3)
    after, before = ([heat_2d_cg.walls(inside + sign * step * s)[0] for s in shifts] for sign in (1, -1))
    laplacian = sum((after[axis] - 2 * value + before[axis]) / step**2 for axis in (0, 1))
    np.testing.assert_allclose(laplacian - (after[2] - before[2]) / (2 * step), lack, atol=1e-3)
    np.testing.assert_allclose((np.array(after) - before)[:2] / (2 * step), gradient, atol=1e-6)
    early = points["circles"][:, 2] < 0.1
    circle, normal = points["circles"][early], normals["circles"][early]
    value, gradient, _ = heat_2d_cg.walls(circle)
    flux = heat_2d_cg.heat(circle) - value
    np.testing.assert_allclose((gradient * normal.T[:2]).sum(axis=0), flux, atol=1e-3)


def test_the_source_of_the_reaction_belongs_to_its_solution(double_precision):
    def solution(x):
        return jax.numpy.sin(6 * x) ** 3

    x = 0.37
    value, bend = solution(x), jax.grad(jax.grad(solution))(x)
    expected = bayesian_reaction.DIFFUSION * bend + bayesian_reaction.RATE * jax.numpy.tanh(value)
    assert bayesian_reaction.source(x) == pytest.approx(float(expected), rel=1e-12)
    assert bayesian_reaction.exact(x) == pytest.approx(float(value), rel=1e-12)


def test_pressures_of_one_permeability_are_those_of_five_points(double_precision):
    """Linear elements on squares of two triangles have the matrix of the five-point star where a is constant."""
    count = fno_darcy.CELLS - 1
    star = diags_array([-1.0, 2.0, -1.0], offsets=[-1, 0, 1], shape=(count, count))
    matrix = kron(star, eye_array(count)) + kron(eye_array(count), star)
    expected = spsolve((3.0 * matrix).tocsc(), np.full(count**2, 1 / fno_darcy.CELLS**2)).reshape(count, count)
    (found,) = fno_darcy.pressures(np.full((1, count + 2, count + 2), 3.0))
    np.testing.assert_allclose(found[1:-1, 1:-1], expected, rtol=1e-9)
    np.testing.assert_array_equal(found[[0, -1]], 0.0)
    two = fno_darcy.permeabilities(2, 0)
    assert set(np.unique(two)) == {3.0, 12.0}
    field = fno_darcy.pressures(two)
    np.testing.assert_allclose(fno_darcy.pressures(two.transpose(0, 2, 1)), field.transpose(0, 2, 1), rtol=1e-9)


def test_the_field_behind_the_permeability_has_its_covariance():
    """At two places, over many fields, against the sum over cosines of norm one."""
    positive = fno_darcy.permeabilities(4000, 0, nodes=9) > 5
    a, b, k = (0, 0), (2, 3), np.arange(9)
    modes = [np.where(k == 0, 1.0, np.sqrt(2) * np.cos(np.pi * k * at / 8)) for at in (*a, *b)]
    variance = 1 / (np.pi**2 * (k[:, None] ** 2 + k**2) + 9) ** 2
    first, second = np.outer(modes[0], modes[1]), np.outer(modes[2], modes[3])
    both, one, other = (float((variance * x * y).sum()) for x, y in ((first, second), (first, first), (second, second)))
    # of two normal numbers with this correlation, the share of equal signs is 1/2 + arcsin(correlation) / pi
    expected = 0.5 + np.arcsin(both / np.sqrt(one * other)) / np.pi
    assert np.mean(positive[:, 0, 0] == positive[:, 2, 3]) == pytest.approx(expected, abs=0.025)


def test_the_points_of_the_step_are_where_they_belong():
    parts = ns_2d_cg.collocation(0)
    assert len(parts["interior"]) == ns_2d_cg.POINTS
    assert sum(len(parts[tag]) for tag in ("inlet", "outlet", "walls")) == ns_2d_cg.SIDES
    assert np.all(ns_2d_cg.in_channel(parts["interior"]))
    assert np.all(parts["inlet"][:, 1] < 1)
    assert not np.any(ns_2d_cg.in_channel(parts["walls"]))


def test_the_power_at_the_corner_is_that_of_stokes_flow():
    """Moffatt: sin(λα) = -λ sin α for the antisymmetric velocity r^λ at a corner of angle α, here 3π/2."""
    α, λ = 1.5 * np.pi, ns_2d_cg.POWER
    assert np.sin(λ * α) == pytest.approx(-λ * np.sin(α), abs=1e-6)


def test_what_flows_over_the_step_flows_out(double_precision):
    """On a coarse mesh, the mean of u at x = 3.5 is a third: 2/3 flow in, through half of the height."""
    places, values = ns_2d_cg.reference(size=0.1, near=0.02)
    at = np.abs(places[:, 0] - 3.5) < 0.03
    assert at.sum() > 5
    order = np.argsort(places[at, 1])
    y, u = np.concatenate([[0.0], places[at, 1][order], [2.0]]), np.concatenate([[0.0], values[at, 0][order], [0.0]])
    assert np.trapezoid(u, y) == pytest.approx(2 / 3, rel=0.05)


@pytest.mark.slow
def test_the_flow_over_the_step_is_finer_than_the_claim(double_precision):
    (places, values), (same, finer) = (ns_2d_cg.reference(order, 0.08, 1e-3) for order in (2, 3))
    np.testing.assert_array_equal(places, same)
    assert _case.relative_l2(values, finer) < 0.1 * _case.load("ns_2d_cg").target


@pytest.mark.slow
def test_the_heated_plate_is_finer_than_the_claim(double_precision):
    points, _, values = heat_2d_cg.reference()
    coarse_points, _, coarse = heat_2d_cg.reference(size=0.5, steps=5)
    apart, nearest = KDTree(coarse_points).query(points)
    common = apart < 1e-9
    assert common.sum() > 50
    assert _case.relative_l2(coarse[:, nearest[common]], values[:, common]) < heat_2d_cg.CASE.target / 10


def test_inputs_in_the_cube_have_no_slope_on_its_faces(double_precision):
    _, spheres, normals = poisson_3d_cg.collocation(0)
    apart = np.linalg.norm(spheres[:, None] - poisson_3d_cg.CENTRES, axis=-1) - poisson_3d_cg.RADII
    np.testing.assert_allclose(np.abs(apart).min(axis=1), 0.0, atol=1e-12)
    assert not poisson_3d_cg.outside(spheres + 1e-6 * normals).any()
    place = jno.domain.from_array({"interior": np.array([[a, b, c] for a in (0, 1) for b in (0, 1) for c in (0, 1)])})
    x, y, z, _ = place.variable("interior")
    slopes = [entry.d(axis) for entry in poisson_3d_cg.inputs(x, y, z) for axis in (x, y, z)]
    for values in jno.core([x.mse], domain=place).eval(slopes):
        np.testing.assert_allclose(values, 0.0, atol=1e-9)


@pytest.mark.slow
def test_a_lid_of_constant_speed_drives_the_published_profile(double_precision):
    """At multiples of 1/64 that Ghia, Ghia and Shin have; the mesh is coarse for the jumps at the upper corners."""
    points, values = cavity_re1000.reference(2, 64, speed=lambda x: 1.0 + 0 * x)
    published = {11: -0.38289, 18: -0.27805, 29: -0.10648, 32: -0.06080, 47: 0.18719, 61: 0.46604}
    for row, speed in published.items():
        (node,) = np.flatnonzero(np.linalg.norm(points - (0.5, row / 64), axis=1) < 1e-9)
        assert values[node, 0] == pytest.approx(speed, abs=8e-3)


@pytest.mark.slow
@pytest.mark.parametrize("case", [poisson_2d_cg, cavity_re100, cavity_re1000, poisson_3d_cg])
def test_finite_elements_are_finer_than_the_claim(case, double_precision):
    """Elements of one order less on the same mesh, with the same vertices, differ by a tenth of the target at most."""
    points, values = case.reference()
    coarse_points, coarse = case.reference(order=2)
    np.testing.assert_array_equal(points, coarse_points)
    assert _case.relative_l2(coarse, values) < case.CASE.target / 10


# --- cells -----------------------------------------------------------------------------------------------------------
CELL = {
    "case": "kdv",
    "library": "jno",
    "seed": 0,
    "error": 2e-4,
    "processor_s": 100.0,
    "wall_s": 120.0,
    "steps": 50,
    "points": 2048,
    "parameters": 900,
    "lines": 20,
    "digest": "a",
    "date": "2026-11-30T20:00:00+00:00",
    "machine": "a machine",
    "versions": {"jax": "0.10"},
    "commit": "abc",
}


def test_cells_are_appended_and_other_settings_make_them_stale(tmp_path):
    _results.record(CELL, tmp_path)
    _results.record({**CELL, "seed": 1, "digest": "b"}, tmp_path)
    _results.record({**CELL, "error": 3e-4}, tmp_path)
    lines = (tmp_path / "kdv.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == [0, 1, 0]
    assert _results.current("kdv", "a", tmp_path)[0]["error"] == 3e-4
    assert _results.missing("kdv", [0, 1, 2], "a", tmp_path) == [1, 2]
    assert _results.missing("heat_2d_ms", [0, 1], "a", tmp_path) == [0, 1]


def test_the_digest_is_of_the_code_and_of_what_it_shares(tmp_path, monkeypatch):
    monkeypatch.setattr(_case, "CASES", tmp_path)
    shared, settings = tmp_path / "_shared.py", tmp_path / "problem.py"

    def digest(code, common="WIDTH = 3"):
        settings.write_text(code)
        shared.write_text(common)
        return _case.settings_digest("problem")

    plain = digest("from ._shared import WIDTH\nPOINTS = 5\n")
    assert digest('"""Words."""\nfrom ._shared import WIDTH\n\nPOINTS = 5  # a comment\n') == plain
    assert digest("from ._shared import WIDTH\nPOINTS = 6\n") != plain
    assert digest("from ._shared import WIDTH\nPOINTS = 5\n", common="WIDTH = 4") != plain


def test_a_row_has_median_and_spread_and_says_what_is_missing():
    case = _case.Case("KdV", lambda seed, limit: None, published=1e-2)
    errors = {0: 2e-4, 1: None, 2: 1e-4}
    cells = {seed: {**CELL, "seed": seed, "error": error} for seed, error in errors.items()}
    text = _table.row(case, cells, {})
    assert text.startswith("| KdV | 1.00e-02 | 1.00e-03 | **2.0e-04** | 1.0e-04 – inf | 3 of 5 | 50.0 | 100 (120) |")
    assert "| missing |" in _table.row(case, {}, {})
    assert "**" not in _table.row(case, {0: {**CELL, "error": 2e-3}}, {})
    covered = {seed: {**CELL, "seed": seed, "coverage": 0.9 + 0.02 * seed} for seed in range(3)}
    assert "| **2.0e-04**, bands of 95 % cover 92% |" in _table.row(case, covered, {})


def test_the_table_names_the_circumstances(tmp_path, monkeypatch):
    monkeypatch.setattr(_table, "settings_digest", lambda name: "a")
    _results.record(CELL, tmp_path)
    text = _table.table(tmp_path)
    assert "jNO: 1 run, 2026-11-30; a machine; jax 0.10; commits `abc`." in text


def test_the_pages_have_the_table_that_the_cells_make():
    for page in _table.PAGES:
        assert _table.table() in page.read_text(encoding="utf-8"), f"python -m benchmarks.accuracy --table ({page})"


def test_unknown_cases_are_refused(capsys):
    with pytest.raises(SystemExit):
        command.main(["heat"])
    assert "unknown case heat; allowed: burgers_1d_c, " in capsys.readouterr().err


def test_only_missing_cells_are_run_one_seed_of_every_case_after_the_other(monkeypatch):
    runs = []
    monkeypatch.setattr(
        command, "missing", lambda name, seeds, digest, library: [] if (name, seeds) == ("kdv", [0]) else seeds
    )
    monkeypatch.setattr(command, "run_cells", lambda cells, jobs, look: runs.extend(cells) or ["kdv: failed"])
    monkeypatch.setattr(command, "write_tables", lambda: None)
    assert command.main(["kdv", "helmholtz", "--seeds", "0", "1"]) == 1
    assert runs == [("helmholtz", "jno", 0), ("kdv", "jno", 1), ("helmholtz", "jno", 1)]


def test_training_ends_at_the_limit():
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    p = jno.np.parameter((), name="p").optimizer(optax.sgd(0.1))
    limit = _case.Limit(0.0)
    history = jno.core([(p - x).mse]).solve(50, callbacks=[limit])
    assert len(history.total_loss_history) == limit.steps == 1
    trained = _case.Trained([p], 3, 0.0, lambda: 0.0)
    assert trained.parameters == 1


def test_limits_of_stages_count_their_steps_together():
    x, _ = jno.domain.line(mesh_size=0.5).variable("interior")
    p = jno.np.parameter((), name="p").optimizer(optax.sgd(0.1))
    whole = _case.Limit(1e9)
    core = jno.core([(p - x).mse])
    core.solve(50, callbacks=[whole.until(0.0)])
    core.solve(3, callbacks=[whole.until(1.0)])
    assert whole.steps == 4
    spent = _case.Limit(0.0)
    core.solve(50, callbacks=[spent.until(float("inf"))])
    assert spent.steps == 1


# --- natural gradients on hard starts --------------------------------------------------------------------------------
class Steps(_case.Limit):
    """As many steps as two minutes of processor time have on the machine of the table."""

    def __init__(self, count):
        super().__init__(float("inf"))
        self._count = count

    def on_epoch_end(self, **keywords):
        super().on_epoch_end(**keywords)
        return self.steps >= self._count


@pytest.mark.slow
@pytest.mark.parametrize("name", ["poisson_2d_c", "wave_1d_c"])
def test_natural_gradients_leave_random_weights(name, double_precision):
    assert _case.load(name).train(0, Steps(200)).error() <= 1e-3
