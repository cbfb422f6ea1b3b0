"""Points that the compiled step draws anew: which they are, who sees them, what they do not depend on."""

import json

import equinox as eqx
import foundax
import jax
import numpy as np
import optax
import processes
import pytest

import jno
from jno.training._fresh_points import FreshTag
from jno.training._region_draws import RegionDraws
from jno.utils import Callback, CheckpointCallback

SQUARE = [(0, 0), (1, 0), (1, 1), (0, 1)]
EVERY = jno.sampler.random(1, 1.0, 0)


def means(domain=None, strategy=EVERY, sample=(5, "uniform"), tag="interior", **options):
    """A problem whose loss is the mean abscissa of the points: nothing is learned."""
    domain = jno.domain.csg(SQUARE) if domain is None else domain
    x, *_ = domain.variable(tag, sample, strategy)
    p = jno.np.parameter((), name="p").optimizer(optax.sgd(0.0))
    return jno.core([x.mean + 0.0 * p, x.mean.tracker(interval=3)], **options), domain


def learned(**options):
    """A small network, with new points inside and new points and normals on the boundary."""
    domain = jno.domain.csg(SQUARE)
    x, y, _ = domain.variable("interior", (8, "sobol"), EVERY)
    how = {"normals": True, "reverse_normals": True, "split": True}
    a, b, _, nx, ny = domain.variable("boundary", (6, None), jno.sampler.random(2, 1.0, 3), **how)
    module = foundax.mlp(2, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0))
    net = jno.nn(module, name="u").optimizer(optax.adam(1e-2))
    u, edge = net(x, y), net(a, b)
    flux = nx * edge.d(a) + ny * edge.d(b)
    return jno.core([(u - x * y).mse, (flux + nx * a + ny * b).mse], **options), domain


def history(crux, epochs=12, **options):
    return np.asarray(crux.solve(epochs, **options).total_loss_history[-epochs:])


class Counted(Callback):
    """Acts after every outer step, and remembers what it is shown."""

    def __init__(self):
        self.means = []

    def on_epoch_end(self, *, context, **more):
        self.means.append(float(np.mean(context["interior"][..., 0])))


# -- which points ----
def test_new_points_in_every_step_within_one_device_call():
    crux, domain = means()
    initial = np.mean(domain.context["interior"][..., 0])
    losses = history(crux, 200)
    assert len(np.unique(losses)) == 200
    assert losses[0] == pytest.approx(initial)
    assert losses.mean() == pytest.approx(0.5, abs=4 / np.sqrt(12 * 5 * 200))
    assert np.mean(domain.context["interior"][..., 0]) == pytest.approx(losses[-1], rel=1e-6)


@pytest.mark.parametrize(
    ("every", "start", "changes"), [(4, 0, [4, 8, 12]), (3, 5, [5, 8, 11, 14]), (1, 7, range(7, 15))]
)
def test_points_stay_until_they_are_due(every, start, changes):
    losses = history(means(strategy=jno.sampler.random(every, 1.0, start))[0], 15)
    assert (np.flatnonzero(np.diff(losses)) + 1).tolist() == list(changes)


def test_epochs_to_the_next_points():
    tag = FreshTag("interior", 0, 5, 3, RegionDraws((), (), np.dtype(np.float32)), 1.0)
    assert [tag.next_after(epoch) for epoch in range(10)] == [5, 4, 3, 2, 1, 3, 2, 1, 3, 2]
    assert [tag.event(epoch) for epoch in (4, 5, 7, 8, 11)] == [None, 0, 0, 1, 2]


def test_the_seed_decides(monkeypatch):
    first, again = (history(means()[0]) for _ in range(2))
    np.testing.assert_array_equal(first, again)
    monkeypatch.setenv("JNO_SEED", "7")
    assert not np.any(history(means()[0])[1:] == first[1:])


def test_tags_with_the_same_region_get_different_points():
    domain = jno.domain.csg(SQUARE)
    x, *_ = domain.variable("interior", (5, None), EVERY)
    a, *_ = domain.variable("interior", (5, None), EVERY)
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    jno.core([(x.mean + 0.0 * p), a.mean]).solve(3)
    assert not np.isin(domain.context["interior"], domain.context["interior@1"]).any()


def test_samples_have_points_of_their_own_or_share_them():
    domain = 3 * jno.domain.csg(SQUARE)
    means(domain)[0].solve(3)
    assert domain.context["interior"].shape == (3, 1, 5, 2)
    assert len(np.unique(domain.context["interior"])) == 30
    domain = 3 * jno.domain.rect(mesh_size=0.25)
    nu = domain.variable("nu", np.ones((3, 1)))
    x, *_ = domain.variable("interior", resampling_strategy=EVERY)
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    before = domain.context["interior"]
    jno.core([(nu * x).mean + 0.0 * p]).solve(3)
    assert not np.array_equal(domain.context["interior"], before)
    assert np.ptp(domain.context["interior"], axis=0).max() == 0.0


def test_merged_domains_draw_from_their_own_geometries():
    left, right = jno.domain.rect(mesh_size=0.25), jno.domain.rect((2, 3), mesh_size=0.25)
    domain = left + 2 * right + left
    crux, _ = means(domain)
    crux.solve(3)
    x = domain.context["interior"][:, 0, :, 0]
    assert np.floor(x).tolist() == [[0] * 5, [2] * 5, [2] * 5, [0] * 5]
    assert len(np.unique(x)) == 20


def test_time_levels_share_the_points():
    domain = jno.domain.line(mesh_size=0.1, time=(0.0, 1.0, 4))
    x, t = domain.variable("interior", (7, "latin_hypercube"), EVERY)
    x0, _ = domain.variable("initial", (6, None), EVERY)
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    crux = jno.core([(x + 0.0 * t).mean + 0.0 * p, x0.mean])
    crux.solve(4)
    points = domain.context["interior"]
    assert points.shape == (1, 4, 7, 1)
    assert np.ptp(points, axis=1).max() == 0.0
    assert sorted((points[0, 0, :, 0] * 7).astype(int)) == list(range(7))
    assert domain.context["initial"].shape == (1, 1, 6, 1)


def test_normals_follow():
    crux, domain = learned()
    crux.solve(6)
    points, normals = domain.context["boundary"][0, 0], domain.context["n_boundary"][0, 0]
    np.testing.assert_allclose(np.sum(normals * (points - 0.5), axis=1), -0.5, atol=1e-6)


def test_who_trains_on_normals_sees_their_sign():
    domain = jno.domain.csg(SQUARE)
    how = {"normals": True, "reverse_normals": True, "split": True}
    x, y, _, nx, ny = domain.variable("boundary", (6, None), EVERY, **how)
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    crux = jno.core([(nx * (x - 0.5) + ny * (y - 0.5)).mean + 0.0 * p])
    np.testing.assert_allclose(history(crux, 4), -0.5, atol=1e-6)


# -- independent of how epochs are cut ----
def test_the_result_does_not_depend_on_how_epochs_are_cut():
    whole = history(learned()[0])
    crux, _ = learned()
    np.testing.assert_array_equal(np.concatenate([history(crux, n) for n in (1, 5, 2, 4)]), whole)
    for inner_steps in (1, 3):
        np.testing.assert_array_equal(history(learned()[0], callbacks=[Counted()], inner_steps=inner_steps), whole)


def test_who_acts_between_steps_sees_the_points_of_the_last_one():
    counted, (crux, _) = Counted(), means()
    losses = history(crux, 6, callbacks=[counted])
    np.testing.assert_allclose(counted.means, losses, rtol=1e-6)
    crux, _ = means()
    losses = crux.solve(10).total_loss_history
    tracked = np.ravel(crux.training_logs[0]["track_stats"][0]["values"])
    np.testing.assert_allclose(tracked, losses[::3], rtol=1e-6)


def test_who_acts_within_a_step_sees_its_points():
    class Same(Callback):
        values = []  # noqa: RUF012

        def on_before_update(self, *, grads, value_fn, trainable, context, **more):
            self.values.append([float(value_fn(trainable)), np.mean(context["interior"][..., 0])])

    losses = history(means()[0], 4, callbacks=[Same()])
    np.testing.assert_allclose(Same.values, np.stack([losses, losses], axis=1), rtol=1e-6)
    np.testing.assert_allclose(losses, history(means()[0], 4), rtol=1e-6)


def test_a_line_search_uses_the_points_of_its_step():
    """An optimizer that moves by the difference between the loss it is given and the one it evaluates."""

    def update(updates, state, params, *, value, value_fn, **more):
        return jax.tree_util.tree_map(lambda leaf: leaf * 0.0 + (value_fn(params) - value), updates), state

    domain = jno.domain.csg(SQUARE)
    x, *_ = domain.variable("interior", (5, None), EVERY)
    optimizer = optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)
    p = jno.np.parameter((), name="p", key=jax.random.PRNGKey(0)).optimizer(optimizer)
    crux = jno.core([(p - x).mse])
    before = float(crux.eval(p))
    assert len(np.unique(history(crux, 6))) == 6
    assert float(crux.eval(p)) == before


def test_evaluation_after_training_uses_the_last_points():
    crux, _ = means()
    seen = []
    for _ in range(3):
        losses = history(crux, 3)
        seen.append(float(np.ravel(crux.eval(crux.constraints[0]))[0]))
        assert seen[-1] == pytest.approx(losses[-1], rel=1e-6)
    assert len(set(seen)) == 3


def test_a_resumed_run_goes_on_bit_for_bit(tmp_path):
    straight, domain = learned()
    whole = history(straight, 20)
    crux, _ = learned()
    keep = CheckpointCallback(tmp_path, save_interval_epochs=7)
    crux.solve(9, callbacks=[keep])
    keep.close()
    resumed, other = learned(resume_from=str(tmp_path))
    np.testing.assert_array_equal(history(resumed, 13), whole[7:])
    for tag in ("interior", "boundary", "n_boundary"):
        np.testing.assert_array_equal(other.context[tag], domain.context[tag])


# -- together with ----
def test_mini_batches_and_offloaded_data_see_the_same_points():
    def losses(**options):
        domain = 4 * jno.domain.csg(SQUARE)
        a = domain.variable("a", np.arange(4.0)[:, None])
        x, *_ = domain.variable("interior", (5, None), jno.sampler.random(2, 1.0, 0))
        p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
        return history(jno.core([(a * 0.0 + x).mean + 0.0 * p]), 6, **options), domain

    inside, domain = losses(batchsize=4)
    outside, other = losses(batchsize=4, offload_data=True)
    np.testing.assert_allclose(inside, outside, rtol=1e-6)
    np.testing.assert_array_equal(domain.context["interior"], other.context["interior"])
    assert len(np.unique(losses(batchsize=2)[0])) > 3  # of three replacements, on changing samples


def test_balancers_and_alternating_phases_see_new_points():
    domain = jno.domain.csg(SQUARE)
    x, y, _ = domain.variable("interior", (5, None), EVERY)
    p = jno.np.parameter((), key=jax.random.PRNGKey(0)).optimizer(optax.sgd(0.0))
    first, second = (x.mean + 0.0 * p), (y.mean + 0.0 * p)
    w = jno.fn.adaptive.softadapt([first, second])
    crux = jno.core([w[0] * first, w[1] * second])
    assert len(np.unique(history(crux, 8))) == 8
    crux = jno.core([first, second])  # it begins on the last points of the other, which are those of its last epoch
    assert len(np.unique(history(crux, 8, substeps=[[0], [1]])[1:])) == 7


def test_large_sets_are_taken_block_by_block():
    domain = jno.domain.csg(SQUARE)
    x, y, _ = domain.variable("interior", (20_000, None), EVERY)
    net = jno.nn(foundax.mlp(2, hidden_dims=32, num_layers=1, key=jax.random.PRNGKey(0))).optimizer(optax.sgd(0.0))
    losses = history(jno.core([(0.0 * net(x, y) + x).mean]), 3)
    assert len(np.unique(losses)) == 3
    np.testing.assert_allclose(losses, 0.5, atol=0.01)


DEVICES = f"""
import sys
sys.path.insert(0, {processes.ROOT + "/tests"!r})
import json, jno, numpy as np, optax
import test_training_fresh_points as tests
found = []
for mesh in ((8, 1), (1, 8)):
    crux, domain = tests.learned(mesh=mesh)
    found.append(crux.solve(6).total_loss_history.tolist())
crux, domain = tests.means(8 * jno.domain.csg(tests.SQUARE), mesh=(8, 1))
crux.solve(6)
print("RESULT " + json.dumps([*found, crux.training_logs[0]["total_loss"]], default=np.ndarray.tolist))
"""


@pytest.mark.slow
def test_several_devices_draw_the_points_of_one():
    cut, copied, samples = processes.result_of(
        processes.start(DEVICES, XLA_FLAGS="--xla_force_host_platform_device_count=8")
    )
    np.testing.assert_allclose(cut, history(learned()[0], 6), rtol=1e-5)
    np.testing.assert_allclose(copied, history(learned()[0], 6), rtol=1e-5)
    np.testing.assert_allclose(np.ravel(samples), history(means(8 * jno.domain.csg(SQUARE))[0], 6), rtol=1e-5)


# -- the compiled step ----
def test_the_step_is_compiled_once_and_never_calls_the_host(monkeypatch):
    from jno.training._step import Step

    seen = {}
    run = Step.run

    def watched(step, state, data, count):
        seen["step"], seen["text"] = step, seen.get("text") or step.compiled(state, data).as_text()
        return run(step, state, data, count)

    monkeypatch.setattr(Step, "run", watched)
    crux, _ = means()
    for count in (1, 7, 50):
        crux.solve(count)
    assert seen["step"]._loop._cache_size() == 1
    assert "callback" not in seen["text"]


def test_tables_of_large_meshes_are_no_constants():
    domain = jno.domain.rect(mesh_size=0.05)
    domain.tag("wedge", where=lambda x, y: y <= x + 1e-9)
    crux, _ = means(domain, sample=(4, "uniform"), tag="wedge")
    crux.solve(2)
    tables = crux._solver._built._points.fresh.tables
    assert sum(array.size for array in tables.values()) > 1000
    assert all(isinstance(array, jax.Array) for array in tables.values())


# -- who draws ----
class Mine(jno.sampler.RandomResampling):
    """A strategy of the user."""


def placement(capsys, strategy=EVERY, sample=(4, "uniform"), domain=None, **more):
    domain = jno.domain.csg(SQUARE) if domain is None else domain
    x, *_ = domain.variable("interior", sample, strategy, **more)
    jno.core([(x * 1.0).mse + 0.0 * jno.np.parameter(()).optimizer(optax.sgd(0.0))]).print_plan()
    return capsys.readouterr().out


def test_the_plan_says_who_draws(capsys):
    assert "points of 'interior': drawn inside the compiled step, new ones every epoch" in placement(capsys)
    assert "inside the compiled step, new ones every 7 epochs" in placement(capsys, jno.sampler.random(7, 1.0))
    text = placement(capsys, jno.sampler.random(7, 0.5))
    assert "replaced between steps, every 7 epochs (RandomResampling(resample_fraction=0.5) chooses them" in text
    assert "(Mine(resample_fraction=1) chooses them on the host)" in placement(capsys, Mine(1, 1.0, 0))
    assert "the host draws from the region 'interior'" in placement(
        capsys, sample=(4, lambda g, n: np.ones((n, 2)) / 2)
    )
    cloud = jno.domain.from_array({"interior": np.random.default_rng(0).random((9, 2))})
    assert "the host draws from the region 'interior'" in placement(capsys, sample=(4, None), domain=cloud)


@pytest.mark.parametrize("name", ["rad", "rard", "r3"])
def test_adaptive_strategies_choose_on_the_device_and_follow_the_residual(name, capsys):
    """Of samples whose residuals are large in different places, each gets its points there."""
    domain = 2 * jno.domain.csg(SQUARE)
    where = domain.variable("where", np.array([[0.1], [0.9]]))
    strategy = vars(jno.sampler)[name](1, 1.0, 0)
    x, *_ = domain.variable("interior", (400, "uniform"), strategy)
    p = jno.np.parameter(()).optimizer(optax.sgd(0.0))
    crux = jno.core([(jno.np.exp(-20 * (x - where) ** 2) + 0.0 * p).mse]).print_plan()
    assert "points of 'interior': chosen on the device between steps, every epoch" in capsys.readouterr().out
    before = np.mean(np.abs(domain.context["interior"][:, 0, :, 0] - [[0.1], [0.9]]))
    crux.solve(8)
    distance = np.mean(np.abs(domain.context["interior"][:, 0, :, 0] - [[0.1], [0.9]]), axis=1)
    assert np.all(distance < 0.5 * before)


def test_a_choice_on_the_device_is_that_on_the_host():
    """With RAR-D, the same points leave, by residuals with normals at several levels of time."""

    class OnTheHost(jno.sampler.RARD):
        pass

    stayed = []
    for strategy in (jno.sampler.rard(1, 0.5, 0), OnTheHost(1, 0.5, 0)):
        domain = jno.domain.rect(mesh_size=0.25, time=(0.0, 1.0, 3))
        how = {"normals": True, "reverse_normals": True, "split": True, "resampling_strategy": strategy}
        x, y, t, nx, ny = domain.variable("boundary", (30, "uniform"), **how)
        net = jno.nn(foundax.mlp(3, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0))).optimizer(optax.sgd(0.0))
        before = domain.context["boundary"][0, 0]
        crux = jno.core([(net(x, y, t) + nx * x + t * ny * y - 0.6).mse, (y * t + x - 0.5).mse])
        crux.solve(2)
        stayed.append((before == domain.context["boundary"][0, 0]).all(axis=1))
        points, normals = domain.context["boundary"][0, 0], domain.context["n_boundary"][0, 0]
        np.testing.assert_allclose(np.sum(normals * (points - 0.5), axis=1), -0.5, atol=1e-6)
    assert stayed[0].sum() == 15
    np.testing.assert_array_equal(*stayed)


def test_finite_differences_keep_the_host(capsys):
    domain = jno.domain.rect(mesh_size=0.1)
    x, y, _ = domain.variable("interior", (30, None), EVERY)
    slope = (x**2 * y).d(x, scheme="finite_difference")
    crux = jno.core([(slope + jno.np.parameter(()).optimizer(optax.sgd(0.0))).mse]).print_plan()
    assert "finite differences need nodes of the mesh" in capsys.readouterr().out
    crux.solve(3)
    nodes = {tuple(point) for point in domain.points}
    assert {tuple(point) for point in domain.context["interior"][0, 0]} <= nodes


def test_strategies_of_both_kinds_in_one_problem():
    """RAD on the host sees the points that the step draws as they are when it acts, wherever a call ends."""

    def run(*epochs):
        domain = jno.domain.csg(SQUARE)
        x, y, _ = domain.variable("interior", (8, None), EVERY)
        a, b, _ = domain.variable("boundary", (6, None), jno.sampler.pinnfluence(3, 0.5, 0))
        module = foundax.mlp(2, hidden_dims=4, num_layers=1, key=jax.random.PRNGKey(0))
        net = jno.nn(module).optimizer(optax.adam(1e-2))
        before = domain.context["boundary"][0, 0]
        crux = jno.core([(net(x, y) - x).mse, net(a, b).mse])
        losses = np.concatenate([history(crux, n) for n in epochs])
        return losses, domain.context["interior"][0, 0], domain.context["boundary"][0, 0], before

    losses, inside, edge, before = run(4, 3)
    for cut, whole in zip((losses, inside, edge), run(7), strict=False):
        np.testing.assert_allclose(cut, whole, rtol=1e-5)
    stayed = (edge == before).all(axis=1)
    assert 0 < stayed.sum() < 6
    np.testing.assert_allclose(np.abs(edge - 0.5).max(axis=1), 0.5)


def test_leaves_of_the_state_are_those_of_fixed_points():
    crux, _ = means()
    fixed, _ = means(strategy=None)
    crux.solve(2)
    fixed.solve(2)
    assert eqx.tree_equal(*(jax.tree_util.tree_structure(c._memory.optimizers) for c in (crux, fixed)))
    assert json.dumps(crux._solver._built._points.snapshot()) == "{}"
