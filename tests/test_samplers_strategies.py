"""Resampling strategies against their densities, thresholds and gates."""

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.stats import chisquare

import jno
from jno.sampler import Situation
from jno.sampler._choice import log_density
from jno.sampler._device_choice import device_exchanged, device_log_density

EVERY = ("random", "rad", "rard", "ha", "r3", "cr3", "pinnfluence")


def factory(name):
    return vars(jno.sampler)[name]


def situation(points, candidates, residual=None, *, epoch=1000, key=0, times=(1.0,)):
    """A situation in which the residual is a function of the coordinates, or of coordinates and time."""

    def scores(at):
        if residual is None:
            return None
        return np.stack([residual(at) if len(times) == 1 else residual(at, time) for time in times])

    return Situation(
        points, candidates, scores(points), scores(candidates), np.array(times), 1.0, epoch, np.random.default_rng(key)
    )


def line(count, key=0):
    return np.random.default_rng([count, key]).random((count, 1))


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("size", [(1, 1), (7, 1), (7, 30), (40, 400)])
def test_number_and_membership_of_points(name, size):
    strategy = factory(name)(start_epoch=0)
    points, pool = line(size[0]), 2.0 + line(size[1], 1)
    choice, _ = strategy.choose(situation(points, pool, lambda x: x[:, 0]), strategy.init())
    assert choice.shape == (size[0],)
    assert choice.min() >= 0
    assert choice.max() < sum(size)
    assert len(set(choice)) == size[0]
    kept = choice < size[0]
    assert np.array_equal(choice[kept], np.flatnonzero(kept)), "points that stay keep their places"


@pytest.mark.parametrize("name", EVERY)
def test_the_key_decides_alone(name):
    strategy = factory(name)(start_epoch=0)
    points, pool = line(40), line(400, 1)

    def chosen(key):
        return strategy.choose(situation(points, pool, lambda x: 0.1 + x[:, 0], key=key), strategy.init())[0]

    assert np.array_equal(chosen(3), chosen(3))
    assert not np.array_equal(chosen(3), chosen(4))


@pytest.mark.parametrize("name", EVERY)
def test_all_residuals_zero_is_no_error(name):
    strategy = factory(name)(start_epoch=0)
    choice, _ = strategy.choose(situation(line(10), line(100, 1), lambda x: 0.0 * x[:, 0]), strategy.init())
    assert len(set(choice)) == 10


@pytest.mark.parametrize(
    ("name", "defaults"),
    [
        ("random", {"resample_every": 100, "resample_fraction": 0.1, "start_epoch": 1000}),
        ("rad", {"resample_every": 100, "resample_fraction": 0.1, "start_epoch": 1000, "k": 10.0}),
        ("rard", {"resample_every": 100, "resample_fraction": 0.1, "start_epoch": 1000, "power": 2.0}),
        ("ha", {"resample_every": 100, "resample_fraction": 0.5, "start_epoch": 1000, "random_first": True}),
        (
            "r3",
            {
                "resample_every": 100,
                "resample_fraction": 0.7,
                "start_epoch": 1000,
                "threshold": "mean",
                "min_retain": 0.3,
                "max_retain": 0.9,
            },
        ),
        (
            "cr3",
            {
                "resample_every": 100,
                "resample_fraction": 0.5,
                "start_epoch": 1000,
                "t_index": -1,
                "alpha": 5.0,
                "gamma0": -0.5,
                "eta_g": 1e-3,
                "epsilon": 20.0,
                "delta_max": 0.1,
                "min_retain": 0.1,
                "max_retain": 0.9,
            },
        ),
        (
            "pinnfluence",
            {
                "resample_every": 500,
                "resample_fraction": 0.2,
                "start_epoch": 2000,
                "alpha": 1.0,
                "c": 1.0,
                "candidate_factor": 3,
            },
        ),
    ],
)
def test_defaults(name, defaults):
    parameters = inspect.signature(factory(name)).parameters
    assert {key: parameters[key].default for key in defaults} == defaults


def test_when_points_are_replaced_follows_from_the_epoch_alone():
    early = jno.sampler.random(resample_every=4, start_epoch=0)
    late = jno.sampler.random(resample_every=4, start_epoch=10)
    assert [e for e in range(20) if early.should_resample(e)] == [4, 8, 12, 16]
    assert [e for e in range(20) if late.should_resample(e)] == [10, 14, 18]
    for strategy in (early, late, jno.sampler.random(1, 1.0, 0), jno.sampler.random(1, 1.0, 1)):
        due = [e for e in range(60) if strategy.should_resample(e)]
        for epoch in range(40):
            assert epoch + strategy.next_after(epoch) == min(e for e in due if e > epoch)
        assert [strategy.event(e) for e in due[:5]] == [0, 1, 2, 3, 4]


# -- densities ----
def histogram(strategy, residual, *, points=200, pool=20000, runs=20, bins=10):
    """Counts of the new points of all runs in equal bins of [0, 1]."""
    counts = np.zeros(bins)
    for run in range(runs):
        now = situation(line(points, run), line(pool, 1000 + run), residual, key=run)
        choice, _ = strategy.choose(now, strategy.init())
        new = now.candidates[choice[choice >= points] - points, 0]
        counts += np.histogram(new, bins=bins, range=(0.0, 1.0))[0]
    return counts


def expected(density, counts):
    edges = np.linspace(0.0, 1.0, len(counts) + 1)
    fine = np.linspace(edges[:-1], edges[1:], 201, axis=1)
    shares = np.trapezoid(density(fine), fine, axis=1)
    return shares / shares.sum() * counts.sum()


@pytest.mark.parametrize(
    ("strategy", "density"),
    [
        (jno.sampler.random(resample_fraction=1.0), lambda x: np.ones_like(x)),
        (jno.sampler.rad(resample_fraction=1.0, k=1.0), lambda x: 0.2 + x),
        (jno.sampler.rad(resample_fraction=1.0, k=3.0), lambda x: (0.2 + x) ** 3),
        (jno.sampler.rad(resample_fraction=0.5, k=1.0, c=1.0), lambda x: (0.2 + x) / 0.7 + 1.0),
        (jno.sampler.rard(resample_fraction=0.5, power=2.0), lambda x: (0.2 + x) ** 2),
        (jno.sampler.ha(resample_fraction=1.0), lambda x: np.ones_like(x)),
        (jno.sampler.ha(resample_fraction=1.0, random_first=False), lambda x: (0.2 + x) ** 2),
        (jno.sampler.pinnfluence(resample_fraction=1.0, alpha=2.0, c=0.5), lambda x: (0.2 + x) ** 2 / (1.72 / 3) + 0.5),
    ],
)
def test_new_points_have_the_density_of_the_method(strategy, density):
    counts = histogram(strategy, lambda x: 0.2 + x[:, 0])
    assert counts.sum() >= 1900
    assert chisquare(counts, expected(density, counts)).pvalue > 0.01


@pytest.mark.parametrize(
    ("strategy", "density"),
    [
        (jno.sampler.rad(resample_fraction=1.0, k=1.0), lambda x: 0.2 + x),
        (jno.sampler.rad(resample_fraction=1.0, k=3.0), lambda x: (0.2 + x) ** 3),
        (jno.sampler.rad(resample_fraction=0.5, k=1.0, c=1.0), lambda x: (0.2 + x) / 0.7 + 1.0),
        (jno.sampler.rard(resample_fraction=0.5, power=2.0), lambda x: (0.2 + x) ** 2),
        (jno.sampler.r3(resample_fraction=1.0), lambda x: np.ones_like(x)),
    ],
)
def test_new_points_on_the_device_have_the_density_of_the_method(strategy, density):
    points, pool, counts = 200, 20_000, np.zeros(10)
    assert strategy.has_device_choice
    choose = jax.jit(strategy.device_choice)
    for run in range(20):
        present, fresh = line(points, run)[:, 0], line(pool, 1000 + run)[:, 0]
        choice = np.asarray(choose(jnp.asarray(0.2 + present), jnp.asarray(0.2 + fresh), jax.random.PRNGKey(run)))
        new = choice[choice >= points] - points
        assert len(set(new)) == len(new)
        assert np.array_equal(choice[choice < points], np.flatnonzero(choice < points))
        counts += np.histogram(fresh[new], bins=10, range=(0.0, 1.0))[0]
    assert counts.sum() >= 1900
    assert chisquare(counts, expected(density, counts)).pvalue > 0.01


@pytest.mark.parametrize("name", ["rad", "rard", "r3"])
@pytest.mark.parametrize("residual", [lambda x: 0.0 * x, lambda x: np.exp(2 * x), lambda x: 1e-30 + 1e-30 * x])
def test_who_stays_is_the_same_on_the_device(name, residual):
    """The number of points that stay, and for strategies that choose by the residual which ones."""
    strategy, points, pool = factory(name)(start_epoch=0), line(60), line(1200, 1)
    host, _ = strategy.choose(situation(points, pool, lambda x: residual(x[:, 0])), strategy.init())
    scores = [jnp.asarray(residual(at[:, 0]), jnp.float32) for at in (points, pool)]
    device = np.asarray(strategy.device_choice(*scores, jax.random.PRNGKey(0)))
    assert np.sum(device < 60) == np.sum(host < 60)
    if name != "rad":
        np.testing.assert_array_equal(device < 60, host < 60)


def test_a_class_of_the_user_chooses_on_the_host():
    class Mine(jno.sampler.RAD):
        pass

    assert not Mine().has_device_choice
    with pytest.raises(NotImplementedError, match="PINNfluence chooses on the host"):
        jno.sampler.pinnfluence().device_choice(jnp.ones(3), jnp.ones(9), jax.random.PRNGKey(0))


def test_a_high_power_neither_underflows_nor_repeats():
    now = situation(line(50), line(500, 1), lambda x: 1e-30 + 1e-30 * x[:, 0])
    choice, _ = jno.sampler.rad(resample_fraction=1.0, k=100.0).choose(now, ())
    new = now.candidates[choice - 50, 0]
    assert len(set(new)) == 50
    assert new.mean() > 0.9


def test_ha_alternates():
    strategy = jno.sampler.ha(resample_every=100, resample_fraction=1.0, start_epoch=1000, power=40.0)
    pool, means = line(1000, 1), []
    for epoch in (1000, 1100, 1200, 1300):
        choice, _ = strategy.choose(situation(line(50), pool, lambda x: x[:, 0], epoch=epoch), ())
        means.append(pool[choice - 50, 0].mean())
    assert np.array_equal(np.array(means) > 0.8, [False, True, False, True])


def test_rard_removes_the_smallest_residuals_only():
    points = line(100)
    choice, _ = jno.sampler.rard(resample_fraction=0.2).choose(situation(points, line(1000, 1), lambda x: x[:, 0]), ())
    assert set(np.flatnonzero(choice >= 100)) == set(np.argsort(points[:, 0])[:20])


@pytest.mark.parametrize(("power", "offset"), [(1.0, 0.0), (3.0, 0.0), (1.0, 1.0), (2.0, 0.5)])
def test_densities_of_compiled_code_are_those_of_the_host(power, offset):
    scores = np.array([0.0, 0.5, 2.0, 7.0])
    host, device = (
        log_density(scores, power, offset),
        np.asarray(device_log_density(jnp.asarray(scores), power, offset)),
    )
    np.testing.assert_allclose((device - device[-1])[1:], (host - host[-1])[1:], rtol=1e-5)
    np.testing.assert_allclose(np.exp(device[0]), np.exp(host[0]), atol=1e-6)
    np.testing.assert_array_equal(device_log_density(jnp.zeros(3), power, offset), 0.0)


def test_candidates_of_no_weight_take_no_place():
    weights = jnp.array([-jnp.inf, 0.0, -jnp.inf])
    choice = device_exchanged(4, jnp.array([3, 0]), weights, jax.random.PRNGKey(0))
    assert sorted(np.asarray(choice).tolist()) in ([0, 1, 2, 5], [1, 2, 3, 5])


def test_points_of_a_finite_pool_are_not_repeated():
    pool = np.linspace(0.0, 1.0, 12)[:, None]
    for name in EVERY:
        now = situation(pool[:10], pool, lambda x: 1.0 + x[:, 0])
        strategy = factory(name)(start_epoch=0, resample_fraction=0.5)
        new = np.concatenate([now.points, pool])[strategy.choose(now, strategy.init())[0], 0]
        assert len(set(new)) == 10, name


# -- R3 ----
@pytest.mark.parametrize(
    ("threshold", "level"), [("mean", np.mean), ("median", np.median), (0.6, lambda r: 0.6 * r.max())]
)
def test_r3_retains_exactly_the_points_above_the_threshold(threshold, level):
    points = line(101)
    residual = np.exp(2 * points[:, 0])
    strategy = jno.sampler.r3(threshold=threshold, resample_fraction=1.0, min_retain=0.01, max_retain=1.0)
    choice, _ = strategy.choose(situation(points, line(101, 1), lambda x: np.exp(2 * x[:, 0])), ())
    assert np.array_equal(choice < 101, residual > level(residual))


@pytest.mark.parametrize(
    ("threshold", "options", "retained"),
    [
        (0.99, {"min_retain": 0.3}, 30),
        (0.99, {"min_retain": 0.1}, 30),
        (0.99, {"min_retain": 0.1, "resample_fraction": 1.0}, 10),
        (0.0, {"max_retain": 0.9}, 90),
        (0.0, {"max_retain": 0.5}, 50),
    ],
)
def test_r3_retains_the_largest_residuals_within_the_bounds(threshold, options, retained):
    points = line(100)
    strategy = jno.sampler.r3(threshold=threshold, **options)
    choice, _ = strategy.choose(situation(points, line(100, 1), lambda x: x[:, 0]), ())
    assert set(np.flatnonzero(choice < 100)) == set(np.argsort(-points[:, 0])[:retained])


# -- causal R3 ----
def test_the_gate_is_the_formula_of_the_paper():
    gate = jno.sampler.cr3(alpha=5.0).gate
    assert gate(np.array([0.3]), 0.3) == pytest.approx(0.5)
    assert gate(np.array([0.1]), 0.3) == pytest.approx((1 + np.tanh(1.0)) / 2)
    assert np.all(np.diff(gate(np.linspace(0, 1, 50), 0.2)) < 0)


@pytest.mark.parametrize(("column", "t_index"), [(0, 0), (1, 1), (1, -1)])
def test_cr3_gates_on_the_column_of_time(column, t_index):
    points, pool = np.random.default_rng(0).random((400, 2)), np.random.default_rng(1).random((400, 2))
    strategy = jno.sampler.cr3(t_index=t_index, gamma0=0.2, alpha=20.0, max_retain=0.3, min_retain=0.3)
    strategy.resample_fraction = 0.7
    choice, _ = strategy.choose(situation(points, pool, lambda x: np.ones(len(x))), strategy.init())
    retained = points[choice < 400]
    assert len(retained) == 120
    assert retained[:, column].max() < 0.35, "equal residuals: the earliest points are retained"
    assert retained[:, 1 - column].max() > 0.9


def test_cr3_weighs_the_time_levels_of_a_time_dependent_domain():
    points, pool = line(100), line(100, 1)
    times = np.linspace(2.0, 4.0, 5)

    def residual(x, time):  # early on the left, late on the right and larger there
        return np.where(x[:, 0] < 0.5, time < 2.6, 10.0 * (time > 3.4))

    def retained(gamma):
        strategy = jno.sampler.cr3(gamma0=gamma, alpha=20.0, resample_fraction=1.0, min_retain=0.01)
        now = situation(points, pool, residual, times=tuple(times))
        return points[strategy.choose(now, strategy.init())[0] < 100, 0]

    assert retained(0.2).max() < 0.5
    assert retained(1.5).min() >= 0.5


def test_the_front_moves_by_the_rule_of_the_paper():
    points, pool = line(50), line(50, 1)
    strategy = jno.sampler.cr3(resample_every=10, gamma0=0.0, eta_g=1e-3, epsilon=2.0)
    now = situation(points, pool, lambda x: np.ones(len(x)))
    every = np.concatenate([points, pool])
    time = (points[:, 0] - every.min()) / np.ptp(every)
    _, gamma = strategy.choose(now, strategy.init())
    assert gamma == pytest.approx(10 * 1e-3 * np.exp(-2.0 * strategy.gate(time, 0.0).mean()))
    _, gamma = strategy.choose(dataclasses.replace(now, scale=3.0), strategy.init())  # residuals of three
    assert gamma == pytest.approx(10 * 1e-3 * np.exp(-2.0 * 9.0 * strategy.gate(time, 0.0).mean()))
    _, gamma = jno.sampler.cr3(resample_every=10**6, gamma0=0.0).choose(now, np.float64(0.0))
    assert gamma == pytest.approx(0.1), "delta_max"


def test_cr3_with_a_column_that_does_not_exist():
    with pytest.raises(ValueError, match=r"cr3\(t_index=3\): the points have 1 column"):
        jno.sampler.cr3(t_index=3).choose(situation(line(5), line(5, 1), lambda x: x[:, 0]), np.float64(0.0))


# -- the public form ----
@pytest.mark.parametrize("name", EVERY)
def test_resample_of_arrays(name):
    domain = jno.domain([(0, 0), (1, 0), (1, 1), (0, 1)])
    points = np.random.default_rng(0).random((30, 2))
    strategy = factory(name)(start_epoch=0)
    new = strategy.resample(points, points[:, 0], domain, "interior", 5, jax.random.key(1))
    again = strategy.resample(points, points[:, 0], domain, "interior", 5, jax.random.PRNGKey(1), candidates=new + 1.0)
    assert new.shape == again.shape == (30, 2)
    assert not np.array_equal(new, points)
    assert np.all((new >= 0) & (new <= 1))


def test_resample_at_the_residual_of_the_nearest_point_or_the_given_one():
    points = np.linspace(0.0, 1.0, 11)[:, None]
    pool = np.linspace(0.0, 1.0, 1001)[:, None]
    strategy = jno.sampler.rad(resample_fraction=1.0, k=60)
    near = strategy.resample(points, points[:, 0], None, "a", 0, jax.random.key(0), pool)
    assert near.min() > 0.9
    given = strategy.resample(points, points[:, 0], None, "a", 0, jax.random.key(0), pool, 1.0 - pool[:, 0])
    assert given.max() < 0.3


def test_another_number_of_residuals_leaves_the_points_as_they_are():
    points = line(5)
    assert jno.sampler.rad().resample(points, np.ones(4), None, "a", 0, jax.random.key(0)) is points


def test_resample_errors():
    with pytest.raises(ValueError, match="RAD needs residuals at the points of 'a'; none were given"):
        jno.sampler.rad().resample(line(5), None, None, "a", 0, jax.random.key(0))
    with pytest.raises(ValueError, match="no candidates for the points of 'nope'"):
        jno.sampler.random().resample(line(5), None, jno.domain.line(), "nope", 0, jax.random.key(0))


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("random", {"resample_every": 0}, ValueError, "resample_every=0: it must be at least 1"),
        ("random", {"resample_every": True}, TypeError, "resample_every=True: it must be an integer"),
        ("random", {"start_epoch": -1}, ValueError, "start_epoch=-1: it must be at least 0"),
        ("random", {"resample_fraction": 0.0}, ValueError, "resample_fraction=0.0: .* greater than 0 and at most 1"),
        ("rad", {"resample_fraction": 1.5}, ValueError, "resample_fraction=1.5"),
        ("rad", {"k": 0}, ValueError, "k=0: it must be a positive number"),
        ("rad", {"c": -1}, ValueError, "c=-1: it must be a number of at least 0"),
        ("rard", {"power": -2}, ValueError, "power=-2: it must be a positive number"),
        ("ha", {"power": 0}, ValueError, "power=0"),
        ("r3", {"threshold": "max"}, ValueError, "threshold='max': allowed are 'mean', 'median' and numbers"),
        ("r3", {"min_retain": 0.8, "max_retain": 0.5}, ValueError, "min_retain=0.8 is greater than max_retain=0.5"),
        ("cr3", {"alpha": 0}, ValueError, "alpha=0"),
        ("cr3", {"max_retain": 2.0}, ValueError, "max_retain=2.0"),
        ("pinnfluence", {"candidate_factor": 0}, ValueError, "candidate_factor=0"),
    ],
)
def test_options_out_of_range(name, options, error, message):
    with pytest.raises(error, match=message):
        factory(name)(**options)


@pytest.mark.parametrize(
    ("make", "match"),
    [
        (lambda: jno.sampler.r3(threshold=float("nan")), "threshold=nan: allowed are 'mean', 'median' and numbers"),
        (lambda: jno.sampler.r3(threshold=["mean"]), r"threshold=\['mean'\]"),
        (lambda: jno.sampler.rad(k=float("inf")), "k=inf: it must be a positive number"),
        (lambda: jno.sampler.rad(resample_fraction=True), "resample_fraction=True"),
        (lambda: jno.sampler.cr3(gamma0="0"), "gamma0 must be a finite number"),
        (lambda: jno.sampler.cr3(t_index=0.5), "t_index must be an integer"),
        (lambda: jno.sampler.ha(random_first="no"), "random_first must be True or False"),
        (
            lambda: jno.sampler.pinnfluence(candidate_factor=2.5),
            "candidate_factor must be an integer from 1 to 1000000",
        ),
    ],
)
def test_arguments_of_another_kind_are_refused(make, match):
    with pytest.raises((TypeError, ValueError), match=match):
        make()
