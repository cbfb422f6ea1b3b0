"""Points that are replaced during training: every kind of domain, their normals, the residuals that count."""

import equinox as eqx
import foundax
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import shapely

import jno
from jno.compiler import Program
from jno.sampler import ResamplingStrategy
from jno.training import _scorer
from jno.training._fresh_points import FreshPoints
from jno.training._pointwise_residuals import residuals_on
from jno.training._resampling import Resampling

SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
KEY = jax.random.PRNGKey(7)


class Seen(ResamplingStrategy):
    """Replaces nothing and remembers what it was shown."""

    needs_residuals = True
    candidate_factor = 2
    candidate_minimum = 1

    def __init__(self, influence=False):
        super().__init__(1)
        self.needs_influence = influence
        self.situations = []

    def choose(self, situation, state):
        self.situations.append(situation)
        return np.arange(len(situation.points)), state


def cloud():
    inside = np.random.default_rng(0).random((300, 2))
    return jno.domain.from_array({"interior": inside, "left": inside * [0.0, 1.0]})


def everything(strategy=None):
    """Replace all points at once."""
    return jno.sampler.random(1, 1.0, 0) if strategy is None else strategy


def resampled(domain, constraints, *, modules=None, epoch=1, key=KEY, window=1):
    """One replacement; the resampler, the program and the new entries."""
    program = Program(constraints, domain, window=window)
    resampling = Resampling(program, domain)
    fresh = FreshPoints(resampling.fresh_tags, key, dict)
    assert fresh.tags or resampling.due(epoch)
    drawn = resampling.put(fresh.of_epoch(epoch))
    entries, states = resampling.resample(epoch, modules or {}, resampling.init(), key)
    entries |= drawn
    for name in set(entries) & set(program.layout.entries):
        assert entries[name].shape == program.data[name].shape, name
        assert entries[name].dtype == program.data[name].dtype, name
    return resampling, program, entries, states


KINDS = {
    "line": lambda **k: jno.domain.line(mesh_size=0.05, **k),
    "rect": lambda **k: jno.domain.rect(mesh_size=0.2, **k),
    "cube": lambda **k: jno.domain.cube(mesh_size=0.5, **k),
    "polygon": lambda **k: jno.domain.csg(SQUARE, **k),
    "meshed polygon": lambda **k: jno.domain.csg(SQUARE, mesh_size=0.3, **k),
    "cloud": lambda **k: cloud(),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", ["random", "rad"])
def test_points_of_every_kind_of_domain(kind, strategy):
    domain = KINDS[kind]()
    factory = vars(jno.sampler)[strategy]
    x, *_ = domain.variable("interior", (10, None), factory(1, 1.0, 0))
    a, *_ = domain.variable("left", (1 if kind == "line" else 4, None))
    before = {name: array.copy() for name, array in domain.context.items()}
    _, _, entries, _ = resampled(domain, [(x - 0.3).mse, a.mse])
    after = domain.context["interior"]
    assert after.shape == before["interior"].shape
    assert np.array_equal(domain.context["left"], before["left"])
    fresh = ~np.isin(after[0, 0, :, 0], before["interior"][..., 0])
    assert fresh.sum() >= (5 if kind == "cloud" else 10)
    assert np.all((after >= 0) & (after <= 1))
    assert np.allclose(entries["points", "interior"], after)
    assert set(entries) == {("points", "interior")}


@pytest.mark.parametrize("kind", ["rect", "polygon", "meshed polygon", "cube"])
@pytest.mark.parametrize("reverse", [False, True])
def test_normals_follow_their_points(kind, reverse):
    domain = KINDS[kind]()
    strategy = jno.sampler.rad(1, 0.5, 0, k=1)
    found = domain.variable("boundary", (12, None), strategy, normals=True, reverse_normals=reverse, split=True)
    x, nx = found[0], found[domain.dimension + 1]
    before = domain.context["boundary"].copy()
    _, _, entries, _ = resampled(domain, [(x * 0 + 1.0 + nx * 0).mse])
    points, normals = domain.context["boundary"][0, 0], domain.context["n_boundary"][0, 0]
    assert not np.array_equal(points, before[0, 0])
    assert np.allclose(entries["points", "n_boundary"][0, 0], normals)
    fresh = ~np.array([any(np.array_equal(point, old) for old in before[0, 0]) for point in points])
    assert 3 <= fresh.sum() <= 6
    outward = (-1.0 if reverse else 1.0) * normals[fresh]
    assert np.allclose(np.linalg.norm(outward, axis=1), 1.0)
    # of the unit square or cube: the coordinate along the normal is 0 or 1, the normal points away from the middle
    along = np.sum(outward * (points[fresh] - 0.5), axis=1)
    assert np.allclose(along, 0.5)


def test_only_tags_with_a_strategy_and_only_when_they_are_due():
    domain = jno.domain.csg(SQUARE)
    often, seldom = jno.sampler.random(2, 0.9, 0), jno.sampler.random(5, 0.9, 3)
    x, *_ = domain.variable("interior", (20, None), often)
    a, *_ = domain.variable("left", (5, None), seldom)
    b, *_ = domain.variable("right", (5, None))
    domain.variable("top", (5, None), often)  # not used
    resampling = Resampling(Program([x.mse, a.mse, b.mse], domain), domain)
    assert [resampling.next_after(epoch) for epoch in range(9)] == [2, 1, 1, 1, 2, 1, 2, 1, 2]
    assert [e for e in range(10) if resampling.due(e)] == [2, 3, 4, 6, 8]
    changed = [set(resampling.resample(e, {}, resampling.init(), KEY)[0]) for e in (2, 3, 8)]
    interior, left = ("points", "interior"), ("points", "left")
    assert changed == [{interior}, {left}, {interior, left}]
    assert Resampling(Program([b.mse], domain), domain).next_after(0) is None


def test_all_time_levels_share_the_points():
    domain = jno.domain.rect(mesh_size=0.25, time=(0.0, 1.0, 4))
    x, *_, t = domain.variable("interior", (10, None), everything())
    first, *_ = domain.variable("initial", (10, None), everything())
    resampled(domain, [(x + t).mse, first.mse])
    assert domain.context["interior"].shape == (1, 4, 10, 2)
    assert np.ptp(domain.context["interior"], axis=1).max() == 0
    assert domain.context["initial"].shape == (1, 1, 10, 2)
    assert not np.array_equal(domain.context["interior"][:, 0], domain.context["initial"][:, 0])


class OnTheHost(jno.sampler.RAD):
    """Chooses as its base does, but on the host: a class of the user."""


@pytest.mark.parametrize("kind", [jno.sampler.rad, OnTheHost])
def test_batch_rows_draw_their_own_points_and_shared_points_stay_shared(kind):
    domain = 3 * jno.domain.csg(SQUARE)
    x, *_ = domain.variable("interior", (10, None), kind(1, 1.0, 0))
    resampled(domain, [(x - 0.3).mse])
    assert domain.context["interior"].shape == (3, 1, 10, 2)
    assert len(np.unique(domain.context["interior"])) == 60
    domain = 3 * jno.domain.rect(mesh_size=0.25)
    nu = domain.variable("nu", np.array([[1.0], [2.0], [3.0]]))
    x, *_ = domain.variable("interior", resampling_strategy=kind(1, 1.0, 0))
    resampled(domain, [(nu * x).mse])
    assert domain.context["interior"].shape == (3, 1, 25, 2)
    assert np.ptp(domain.context["interior"], axis=0).max() == 0


def test_rows_of_merged_domains_stay_in_their_own_geometry():
    domain = jno.domain.rect(mesh_size=0.25) + jno.domain.rect((2, 3), mesh_size=0.25)
    x, *_ = domain.variable("interior", (10, None), everything())
    before = domain.context["interior"].copy()
    resampled(domain, [x.mse])
    after = domain.context["interior"][..., 0]
    assert not np.isin(after, before).any()
    assert after[0].max() <= 1
    assert after[1].min() >= 2


def test_the_key_decides_alone():
    def points(key, draws):
        domain = jno.domain.csg(SQUARE)
        x, *_ = domain.variable("interior", (10, None), everything(jno.sampler.rad(1, 1.0, 0)))
        for _ in range(draws):
            domain.variable("left", (3, None))
        resampled(domain, [(x - 0.3).mse], key=key)
        return domain.context["interior"]

    assert np.array_equal(points(KEY, 0), points(KEY, 2))
    assert not np.array_equal(points(KEY, 0), points(jax.random.PRNGKey(8), 0))


def test_the_points_of_a_cloud_are_not_repeated():
    domain = cloud()
    x, *_ = domain.variable("interior", (200, None), everything(jno.sampler.random(1, 0.5, 0)))
    before = domain.context["interior"][0, 0]
    resampled(domain, [x.mse])
    after = {tuple(point) for point in domain.context["interior"][0, 0]}
    assert len(after) == 200
    assert after <= {tuple(point) for point in domain.points}
    assert 100 <= len(after & {tuple(point) for point in before}) < 200


def test_regions_of_your_own_and_holes():
    domain = jno.domain.csg(SQUARE) - [(0.25, 0.25), (0.75, 0.25), (0.75, 0.75), (0.25, 0.75)]
    x, *_ = domain.variable("corner", (20, None), everything(), where=lambda x, y: (x < 0.5) & (y < 0.5))
    z, *_ = domain.variable("interior", (200, None), everything())
    resampled(domain, [x.mse, z.mse])
    hole = shapely.box(0.25, 0.25, 0.75, 0.75)
    for tag in ("corner", "interior"):
        assert not shapely.contains_xy(hole, domain.context[tag][0, 0]).any()
    assert domain.context["corner"].max() <= 0.5


# -- residuals ----
def test_residuals_without_their_reductions():
    domain = jno.domain.rect(mesh_size=0.5)
    x, y, _ = domain.variable("interior")
    a, *_ = domain.variable("left")
    weight = jno.parameter((1,), key=KEY)
    u, v = x * y, x - y
    w1, w2 = jno.fn.adaptive.softadapt([u.mse, a.mse])
    program = Program([u.mse, v.mae], domain)
    graph = program.graph
    shown = {
        "mse": ([u.mse], [u]),
        "weighted": ([3.0 * u.mse, v.mae / 2.0, u.mean * weight], [u, v]),
        "sum": ([2.0 * u.mse + v.mse - a.mse], [u, v]),
        "root": ([jno.np.sqrt(u.mse)], [u]),
        "square": ([jno.np.mean(u) ** 2], [u]),
        "point-wise": ([u], [u]),
        "inner reduction": ([(u - u.mean).mse, u - v.mean], [u - u.mean, u - v.mean]),
        "loss": ([jno.fn.mse(u, v)], [u - v]),
        "balanced": ([w1 * u.mse, w2 * a.mse], [u]),
        "other points": ([a.mse, (a * 2).mean], []),
        "two sets of points": ([(u.mean - a.mean) ** 2, a - a], [u]),
    }
    for name, (constraints, expected) in shown.items():
        found = residuals_on("interior", constraints, graph)
        assert found == [graph.intern(node) for node in expected], name


@pytest.mark.parametrize("lanes", [2**15, 32])
def test_scores_are_the_largest_of_the_normalised_residuals(monkeypatch, lanes):
    """In one evaluation and in five, whose last is not full."""
    monkeypatch.setattr(_scorer, "_LANES", lanes)
    strategy = Seen()
    domain = jno.domain.csg(SQUARE)
    x, y, _ = domain.variable("interior", (50, None), strategy)
    a, *_ = domain.variable("left", (5, None))
    resampled(domain, [3.0 * (x - 0.5).mse + jno.np.concat([x * y, y]).mae, a.mse])
    (seen,) = strategy.situations
    for points, scores in ((seen.points, seen.scores), (seen.candidates, seen.candidate_scores)):
        every = np.concatenate([seen.points, seen.candidates])

        def normalised(of, every=every, points=points):
            return np.abs(of(*points.T)) / np.abs(of(*every.T)).max()

        first = normalised(lambda x, y: x - 0.5)
        second = normalised(lambda x, y: np.hypot(x * y, y))
        assert np.allclose(scores, np.maximum(first, second)[None], atol=1e-6)
    x, y = np.concatenate([seen.points, seen.candidates]).T
    assert seen.scale == pytest.approx(max(np.abs(x - 0.5).max(), np.hypot(x * y, y).max()), rel=1e-6)
    assert len(seen.candidates) == 100


def test_scores_by_time_level():
    strategy = Seen()
    domain = jno.domain.line(mesh_size=0.1, time=(0.0, 2.0, 5))
    x, t = domain.variable("interior", (7, None), strategy)
    fixed = Seen()
    first, _ = domain.variable("initial", (4, None), fixed)
    resampled(domain, [(x + t).mse, first.mse])
    (seen,) = strategy.situations
    assert np.allclose(seen.times, [0.0, 0.5, 1.0, 1.5, 2.0])
    values = seen.points[:, 0] + seen.times[:, None]
    assert np.allclose(seen.scores * seen.scale, values, atol=1e-5)
    assert fixed.situations[0].scores.shape == (1, 4)


@pytest.mark.parametrize("name", ["random", "rad", "rard", "ha", "r3", "cr3"])
def test_every_strategy_on_a_time_dependent_domain(name):
    domain = jno.domain.rect(mesh_size=0.25, time=(0.0, 1.0, 4))
    strategy = vars(jno.sampler)[name](1, 0.5, 0)
    x, y, t = domain.variable("interior", (20, "uniform"), strategy)
    before = domain.context["interior"][0, 0]
    _, _, _, (state,) = resampled(domain, [(x * t - y).mse])
    after = domain.context["interior"]
    assert after.shape == (1, 4, 20, 2)
    moved = 20 - np.isin(after[0, 0, :, 0], before[:, 0]).sum()
    assert 1 <= moved <= 10
    if name == "cr3":  # the front has moved by at most its speed
        assert -0.5 < state[0] <= -0.5 + 1e-3


def test_a_front_goes_on_from_its_state():
    domain = jno.domain.line(mesh_size=0.1, time=(0.0, 1.0, 4))
    strategy = jno.sampler.cr3(1, 0.5, 0, eta_g=0.05, epsilon=0.0)
    x, t = domain.variable("interior", (20, "uniform"), strategy)
    resampling, _, _, states = resampled(domain, [(x * t).mse])
    _, later = resampling.resample(2, {}, states, KEY)
    assert later[0][0] == pytest.approx(-0.4)


def test_normals_in_residuals():
    strategy = Seen()
    domain = jno.domain.rect(mesh_size=0.25)
    x, y, _, nx, ny = domain.variable("boundary", (10, None), strategy, normals=True, reverse_normals=True, split=True)
    resampled(domain, [(nx * x + ny * y - 0.5).mse])
    (seen,) = strategy.situations
    flux = -np.where(np.isclose(seen.candidates, 1.0), 1.0, 0.0).sum(axis=1)  # the normals point inward
    assert np.allclose(seen.candidate_scores[0] * seen.scale, np.abs(flux - 0.5), atol=1e-6)


def test_rows_of_a_batch_see_their_own_data():
    strategy = Seen()
    domain = 2 * jno.domain.csg(SQUARE)
    nu = domain.variable("nu", np.array([[1.0], [3.0]]))
    x, *_ = domain.variable("interior", (10, None), strategy)
    resampled(domain, [(nu * x).mse])
    for seen, value in zip(strategy.situations, (1.0, 3.0), strict=True):
        assert np.allclose(seen.scores[0] * seen.scale, value * seen.points[:, 0], atol=1e-6)


def test_finite_differences_keep_their_points_on_nodes():
    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior", (30, None), everything(jno.sampler.rad(1, 1.0, 0, k=1)))
    derivative = (x**2 * y).d(x, scheme="finite_difference")
    _, program, entries, _ = resampled(domain, [(derivative + 1.0).mse])
    nodes = {tuple(point) for point in domain.points}
    points = domain.context["interior"][0, 0]
    assert {tuple(point) for point in points} <= nodes
    (value,) = program.over([derivative])({}, {**program.data, **entries})
    inner = np.all((points > 0.15) & (points < 0.85), axis=1)
    assert inner.sum() > 5
    assert np.allclose(np.ravel(value)[inner], (2 * points[:, 0] * points[:, 1])[inner], atol=0.02)


def test_influence_is_the_product_of_the_gradients():
    strategy = Seen(influence=True)
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior", (6, "uniform"), strategy)
    net = jno.nn(foundax.mlp(in_features=1, hidden_dims=4, num_layers=1, output_dim=1, key=KEY))
    other = jax.random.PRNGKey(3)
    held = jno.nn(foundax.mlp(in_features=1, hidden_dims=4, num_layers=1, output_dim=1, key=other)).freeze()
    residual = net(x) - jno.np.sin(3 * x) + held(x)
    crux = jno.core([residual.mse, (net(x) ** 2).mean])
    modules = {model.layer_id: model.module for model in (net, held)}
    resampled(domain, crux.constraints, modules=modules)
    (seen,) = strategy.situations

    def at(module, point):
        z = jnp.asarray(point, dtype=float)[None]
        return (module(z) - jnp.sin(3 * z) + held.module(z))[0, 0], module(z)[0, 0] ** 2

    def total(module):
        values = jax.vmap(lambda p: jnp.stack(at(module, p)))(jnp.asarray(seen.points))
        return jnp.mean(values[:, 0] ** 2) / 2 + jnp.mean(values[:, 1]) / 2

    @eqx.filter_jit
    def influences(module, points):
        along = eqx.filter_grad(total)(module)

        def dot(point, which):
            own = eqx.filter_grad(lambda m: at(m, point)[which] ** 2)(module)
            pairs = zip(jax.tree_util.tree_leaves(own), jax.tree_util.tree_leaves(along), strict=True)
            return jnp.abs(sum(jnp.sum(a * b) for a, b in pairs))

        return jnp.stack([jax.vmap(lambda p, which=which: dot(p, which))(points) for which in (0, 1)])

    table = np.asarray(influences(net.module, jnp.asarray(np.concatenate([seen.points, seen.candidates]))))
    normalised = table / table.max(axis=1, keepdims=True)
    assert set(normalised.argmax(axis=0)) == {0, 1}  # both of them are seen
    expected = normalised.max(axis=0)
    assert np.allclose(np.concatenate([seen.scores[0], seen.candidate_scores[0]]), expected, rtol=1e-3, atol=1e-5)


# -- the domain ----
def test_a_second_request_for_all_points_after_resampling_gives_the_nodes():
    domain = jno.domain.rect(mesh_size=0.5)
    x, *_ = domain.variable("interior", resampling_strategy=everything())
    resampled(domain, [x.mse])
    y, *_ = domain.variable("interior")
    assert y.tag == "interior@1"
    assert np.array_equal(domain.context["interior@1"][0, 0], domain.points)


def test_a_strategy_is_not_lost_on_points_that_exist_already():
    domain = jno.domain.rect(mesh_size=0.5)
    fixed, *_ = domain.variable("interior")
    moving, *_ = domain.variable("interior", resampling_strategy=everything())
    same, *_ = domain.variable("interior", resampling_strategy=everything())
    assert len({fixed.tag, moving.tag, same.tag}) == 3


def test_a_copy_keeps_its_points_when_those_of_the_original_are_replaced():
    domain = jno.domain.rect(mesh_size=0.5)
    x, *_ = domain.variable("left", (2, None), everything(), normals=True, split=True)
    copy = domain.copy()
    before = copy.context["left"].copy()
    resampled(domain, [x.mse])
    assert np.array_equal(copy.context["left"], before)
    assert not np.array_equal(domain.context["left"], before)


# -- errors ----
@pytest.mark.parametrize("build", [lambda: jno.domain.rect(), lambda: jno.domain.csg(SQUARE), cloud])
def test_what_is_no_strategy(build):
    with pytest.raises(TypeError, match=r"strategy of 'left' must be one of jno.sampler, .* got 'rad'"):
        build().variable("left", (2, None), "rad")


def test_a_registered_object_that_is_no_strategy():
    with pytest.raises(TypeError, match=r"strategy of '\*' must be one of jno.sampler.*got 3"):
        jno.domain.csg(SQUARE, resampling_strategy=3)


def test_data_takes_no_strategy():
    with pytest.raises(ValueError, match=r"takes only split= and point_data=; got resampling_strategy"):
        jno.domain.rect().variable("data", np.ones((3, 1)), jno.sampler.rad())


def test_view_factors_take_no_strategy():
    with pytest.raises(ValueError, match="view factors belong to points that stay; leave resampling_strategy= out"):
        jno.domain.rect().variable("left", (2, None), jno.sampler.random(), normals=True, view_factor=True)


def test_a_strategy_without_residuals_to_look_at():
    domain = jno.domain.rect(mesh_size=0.25)
    x, *_ = domain.variable("interior", (5, None), jno.sampler.rad())
    with pytest.raises(ValueError, match="strategy RAD of 'interior' cannot be used: no constraint has a residual"):
        Resampling(Program([x[:1] - 0.5], domain), domain)


@pytest.mark.parametrize("strategy", [jno.sampler.rad, jno.sampler.random])
def test_points_that_are_paired_with_others(strategy):
    domain = jno.domain.rect(mesh_size=0.25)
    x, *_ = domain.variable("interior", (5, None), strategy())
    a = domain.variable("a", np.ones((5, 1)), point_data=True)
    with pytest.raises(ValueError, match=r"'interior' cannot be resampled: .* the points of another tag"):
        jno.core([(x - a).mse, jno.np.parameter(()).optimizer(optax.sgd(0.1)) ** 2]).solve(1)


def test_points_with_view_factors():
    domain = jno.domain.rect(mesh_size=0.25)
    for tag in ("left", "right"):
        domain.variable(tag, (5, None), jno.sampler.random(), normals=True)
    with pytest.raises(ValueError, match="the points of 'left' are resampled, and view factors belong to fixed points"):
        domain.compute_enclosure_view_factor(["left", "right"])


def test_data_with_one_row_per_point():
    domain = jno.domain.rect(mesh_size=0.5)
    x, *_ = domain.variable("interior", (5, None), jno.sampler.rad())
    f = domain.variable("f", np.arange(5.0)[None, :, None])
    with pytest.raises(ValueError, match=r"'interior' cannot be resampled: .* one row for every point"):
        Resampling(Program([(x - f).mse], domain), domain)


def test_another_number_of_points_is_refused():
    domain = jno.domain.rect(mesh_size=0.5)
    domain.variable("interior", (5, None))
    store = domain.samples
    with pytest.raises(ValueError, match=r"'interior' must be one array \(5, 2\), or 1 of them; got \[\(4, 2\)\]"):
        store.replace_points(store.find("interior"), [(np.zeros((4, 2)), None)])


# -- strategies of one's own ----
class Recorded(ResamplingStrategy):
    """Moves every point by a hundredth towards the middle, and remembers what it was given."""

    def __init__(self, residuals=True, **options):
        super().__init__(**{"resample_every": 1, **options})
        self.needs_residuals = residuals
        self.given, self.updates = [], []

    def resample(self, points, residuals, domain, tag, epoch, rng_key, candidates=None):
        self.given.append((points, residuals, domain, tag, epoch, rng_key, candidates))
        return points + 0.01 * (0.5 - points)

    def update_epoch(self, epoch):
        self.updates.append(epoch)


def test_resample_of_ones_own():
    strategy = Recorded()
    domain = jno.domain.csg(SQUARE)
    x, y, _ = domain.variable("interior", (9, None), strategy)
    before = domain.context["interior"][0, 0].copy()
    resampled(domain, [(x * y).mse], epoch=3)
    ((points, residuals, where, tag, epoch, key, candidates),) = strategy.given
    np.testing.assert_array_equal(points, before)
    expected = np.prod(before, axis=1)
    np.testing.assert_allclose(residuals / residuals.max(), expected / expected.max(), rtol=1e-5)
    assert (where is domain, tag, epoch, candidates.shape) == (True, "interior", 3, (1000, 2))
    assert jax.random.uniform(key).shape == ()
    np.testing.assert_allclose(domain.context["interior"][0, 0], before + 0.01 * (0.5 - before), rtol=1e-12)
    assert strategy.updates == [3]


def test_keys_of_rows_and_epochs_differ():
    strategy = Recorded(residuals=False)
    domain = 2 * jno.domain.csg(SQUARE)
    x, *_ = domain.variable("interior", (3, None), strategy)
    for epoch in (1, 2):
        resampled(domain, [x.mse], epoch=epoch)
    assert all(given[1] is None for given in strategy.given)
    assert len({tuple(np.asarray(given[5]).tolist()) for given in strategy.given}) == 4


def test_normals_of_points_of_ones_own():
    """Those of the nearest point or candidate, here: of the side."""

    class Slide(Recorded):
        def resample(self, points, residuals, domain, tag, epoch, rng_key, candidates=None):
            along = np.where(np.isin(points, (0.0, 1.0)), 0.0, 0.02)
            return points + along * (0.5 - points)

    domain = jno.domain.csg(SQUARE)
    x, _, _, nx, _ = domain.variable("boundary", (12, None), Slide(False), normals=True, split=True)
    before = domain.context["boundary"].copy()
    resampled(domain, [(x + nx).mse])
    points, normals = domain.context["boundary"][0, 0], domain.context["n_boundary"][0, 0]
    assert not np.array_equal(points, before[0, 0])
    np.testing.assert_array_equal(normals, np.where(points == 1.0, 1.0, np.where(points == 0.0, -1.0, 0.0)))


def test_the_most_derived_method_counts():
    class Chosen(Recorded):
        def choose(self, situation, state):
            return np.arange(len(situation.points)), state

    class Both(Chosen):
        def choose(self, situation, state):
            raise AssertionError

        def resample(self, points, residuals, domain, tag, epoch, rng_key, candidates=None):
            return points * 0.5

    class Scaled(jno.sampler.RAD):
        def resample(self, *given, candidate_residuals, **more):
            assert candidate_residuals.shape == more["candidates"].shape[:1]
            return 0.5 * super().resample(*given, candidate_residuals=candidate_residuals, **more)

    for strategy, factor in ((Chosen(), 1.0), (Both(), 0.5), (Scaled(1, 1.0, 0), None)):
        domain = jno.domain.line(mesh_size=0.1)
        x, _ = domain.variable("interior", (5, "uniform"), strategy)
        before = domain.context["interior"].copy()
        resampled(domain, [x.mse])
        after = domain.context["interior"]
        if factor is None:
            assert after.max() <= 0.5
        else:
            np.testing.assert_array_equal(after, factor * before)


def test_a_rhythm_of_ones_own():
    class Rare(Recorded):
        last = -1

        def should_resample(self, epoch):
            return epoch >= 2 and epoch - self.last >= 4

        def update_epoch(self, epoch):
            super().update_epoch(epoch)
            self.last = epoch

    strategy = Rare(residuals=False)
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior", (5, "uniform"), strategy)
    a, _ = domain.variable("interior", (4, "uniform"), strategy)
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    jno.core([(p + x).mse, (p + a).mse]).solve(13)
    assert strategy.updates == [3, 7, 11]
    assert [given[4] for given in strategy.given] == [3, 3, 7, 7, 11, 11]


def test_strategies_that_cannot_be():
    class Nothing(ResamplingStrategy):
        pass

    for kind in (Nothing, ResamplingStrategy):
        with pytest.raises(TypeError, match=r"implements neither choose\(...\) nor resample\(...\)"):
            kind()

    class Other(ResamplingStrategy):
        def resample(self, points):
            return points

    class Fewer(Recorded):
        def resample(self, points, *given, candidates=None):
            return points[1:]

    class Broken(Recorded):
        def resample(self, points, *given, candidates=None):
            return points * np.nan

    for kind, error, message in (
        (Other, TypeError, r"Other.resample\(\) is called as resample\(points, residuals, domain, tag, epoch, rng_key"),
        (Fewer, ValueError, r"must return as many points as 'interior' has, finite .* \(5, 1\); got shape \(4, 1\)"),
        (Broken, ValueError, r"got shape \(5, 1\) with values that are not finite"),
    ):
        domain = jno.domain.line(mesh_size=0.1)
        x, _ = domain.variable("interior", (5, "uniform"), kind(resample_every=1))
        with pytest.raises(error, match=message):
            resampled(domain, [x.mse])


# -- in training ----
@pytest.mark.parametrize(("name", "begins"), [("rad", 1000), ("pinnfluence", 2000)])
def test_a_strategy_that_does_not_begin_is_told_once(name, begins, capsys):
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior", (5, "uniform"), vars(jno.sampler)[name]())
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    crux = jno.core([(p * x - x).mse])
    message = f"of 'interior' replaces no points in this call, which ends with epoch 2: it begins at epoch {begins} "
    for times in (1, 0):
        crux.solve(3)
        assert capsys.readouterr().out.count(message) == times


def test_a_strategy_that_begins_is_told_nothing_of(capsys):
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior", (5, "uniform"), jno.sampler.random(50, start_epoch=2))
    a, _ = domain.variable("interior", (4, "uniform"), jno.sampler.random(3, start_epoch=0))
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    crux = jno.core([(p * x - x).mse, (p + a).mse])
    crux.solve(2)
    told = capsys.readouterr().out
    assert "'interior' replaces no points" in told
    assert "'interior@1' replaces no points" in told
    crux.solve(2)
    assert "replaces no points" not in capsys.readouterr().out
    jno.core([(p * x - x).mse, (p + a).mse]).solve(4)
    assert "replaces no points" not in capsys.readouterr().out


def front(strategy, seed, *, epochs=1200, points=20, width=0.05):
    """Error of −ε² u″ + u = f, whose solution is tanh(x / ε), on points of a line."""
    x, _ = jno.domain.line((-1, 1), mesh_size=0.05).variable("interior", (points, "uniform"), strategy)
    net = jno.nn(foundax.mlp(in_features=1, hidden_dims=24, num_layers=2, output_dim=1, key=jax.random.PRNGKey(seed)))
    net.optimizer(optax.adam(optax.cosine_decay_schedule(5e-3, epochs)))
    u, exact = x + (1 - x**2) * net(x), jno.np.tanh(x / width)
    crux = jno.core([(u - width**2 * u.d2(x) - exact - 2 * exact * (1 - exact**2)).mse])
    crux.solve(epochs)
    fine = jno.domain.line((-1, 1), mesh_size=0.01)
    return float(np.sqrt(np.mean(np.asarray(crux.eval((u - exact) ** 2, domain=fine)))))


@pytest.mark.parametrize("seed", [0, 1])
def test_rad_beats_fixed_points_at_a_sharp_front(seed, monkeypatch):
    monkeypatch.setenv("JNO_SEED", str(seed))
    fixed = front(None, seed)
    adaptive = front(jno.sampler.rad(50, 1.0, 50, k=1, c=1), seed)
    assert adaptive < 0.5 * fixed


def test_training_with_resampling_is_reproducible():
    weights, points = [], []
    for _ in range(2):
        domain = jno.domain.csg(SQUARE)
        x, y, _ = domain.variable("interior", (9, None), jno.sampler.r3(5, start_epoch=5))
        net = jno.nn(foundax.mlp(in_features=2, hidden_dims=4, num_layers=1, output_dim=1, key=KEY))
        net.optimizer(optax.adam(1e-2))
        jno.core([(net(x, y) - x).mse]).solve(12)
        points.append(domain.context["interior"])
        weights.append(jax.tree_util.tree_leaves(eqx.filter(net.module, eqx.is_array)))
    assert np.array_equal(*points)
    assert all(np.array_equal(a, b) for a, b in zip(*weights, strict=True))


class Everything(jno.sampler.RandomResampling):
    """Replaces all points as its base does, but on the host: a class of the user."""


@pytest.mark.parametrize("strategy", [None, Everything(1, 1.0, 0)])
def test_one_point_that_is_replaced_in_every_epoch(strategy):
    domain = jno.domain.csg(SQUARE)
    x, y, _ = domain.variable("interior", resampling_strategy=strategy)
    net = jno.nn(foundax.mlp(in_features=2, hidden_dims=4, num_layers=1, output_dim=1, key=KEY))
    net.optimizer(optax.sgd(0.0))
    crux = jno.core([(net(x, y) * 0 + x).mean])
    before = domain.context["interior"].copy()
    crux.solve(200)
    losses = np.ravel(crux.training_logs[0]["total_loss"])
    assert len(np.unique(losses)) == 200
    assert losses.mean() == pytest.approx(0.5, abs=0.07)
    assert losses[0] == pytest.approx(before[0, 0, 0, 0])
    assert not np.array_equal(domain.context["interior"], before)


def test_a_strategy_that_cannot_be_used_is_refused_when_training_starts():
    domain = jno.domain.rect(mesh_size=0.25)
    x, y, _ = domain.variable("interior", (5, None), jno.sampler.rad())
    net = jno.nn(foundax.mlp(in_features=2, hidden_dims=4, num_layers=1, output_dim=1, key=KEY))
    net.optimizer(optax.adam(1e-3))
    crux = jno.core([net(x, y)[:1] - 0.5])
    with pytest.raises(ValueError, match="strategy RAD of 'interior' cannot be used"):
        crux.solve(1)
