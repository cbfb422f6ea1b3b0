"""How attached arrays are read: one row per sample, one value per point, or one row for all; what is refused."""

import numpy as np
import pytest
from helpers import close

import jno
from jno.compiler import Program

COEFFICIENTS = np.array([0.5, -1.0, 2.0])


def line(samples=1, points=5):
    domain = samples * jno.domain.line(mesh_size=1 / (points - 1))
    x, _ = domain.variable("interior")
    return domain, x


def value(expression, *, domain=None):
    return jno.core([expression.mse]).eval(expression, domain=domain)


# -- vectors ----


def test_vector_with_an_entry_for_every_sample():
    domain, x = line(samples=3)
    k = domain.variable("k", COEFFICIENTS)
    close(value(k * x), COEFFICIENTS[:, None, None] * np.linspace(0, 1, 5)[:, None])
    close(jno.core([(k * x).mse]).eval((k * x).mse), COEFFICIENTS**2 * 0.375)
    program = Program([(k * x).mse], domain)
    assert program.layout.batched == (("tensors", "k"),)
    close(program.rows([2, 0])["tensors", "k"], [[2.0], [0.5]])


def test_other_vectors_are_one_row_for_all_samples():
    for samples in (1, 2):
        domain, x = line(samples)
        close(value(domain.variable("row", COEFFICIENTS).mean * x)[-1], 0.5 * np.linspace(0, 1, 5)[:, None])


def test_vector_that_fits_samples_and_points_is_refused():
    domain, x = line(samples=3, points=3)
    with pytest.raises(ValueError, match=r"'k' is a vector of 3 entries, .* samples and as 'interior' has"):
        value(domain.variable("k", COEFFICIENTS) * x)
    places = np.linspace(0, 1, 3)
    close(value(domain.variable("each", COEFFICIENTS[:, None]) * x)[..., 0], COEFFICIENTS[:, None] * places)
    shared = np.broadcast_to(COEFFICIENTS * places, (3, 3))
    close(value(domain.variable("at", COEFFICIENTS, point_data=True) * x)[..., 0], shared)
    close(value(domain.variable("all", COEFFICIENTS[None]).mean * x)[..., 0], 0.5 * np.broadcast_to(places, (3, 3)))


def test_reading_of_a_vector_does_not_change_on_another_domain():
    train, x = line(samples=3)
    k = train.variable("k", COEFFICIENTS)
    single, _ = line()
    with pytest.raises(ValueError, match="neither the number of samples B=1 nor 1"):
        value(k * x, domain=single)
    shared, x = line()
    row = shared.variable("row", COEFFICIENTS)
    three, _ = line(samples=3)
    close(value(row.mean * x, domain=three)[0], 0.5 * np.linspace(0, 1, 5)[:, None])


def test_reading_of_a_vector_does_not_change_with_the_number_of_samples():
    domain, _ = line()
    domain.variable("row", np.arange(4.0))
    assert (4 * domain).context["row"].shape == (1, 4)
    assert (3 * domain).context["row"].shape == (4,)
    two, other = 2 * domain, 2 * domain
    two.variable("k", np.arange(2.0))
    other.variable("k", np.arange(2.0))
    assert (two + other).context["k"].tolist() == [0.0, 1.0, 0.0, 1.0]
    assert (two + other).context["row"].shape == (1, 4)
    assert (2 * two).context["k"].shape == (2, 1)
    three = 3 * jno.domain.line()
    three.variable("k", np.arange(2.0))
    two = 2 * jno.domain.line()
    two.variable("k", np.arange(2.0))
    with pytest.raises(ValueError, match="'k' of the merged domains cannot be combined"):
        two + three


def test_columns_of_a_vector():
    domain, x = line(samples=3)
    first, _, third = domain.variable("row", COEFFICIENTS, split=True)
    close(value((third - first) * x)[0], 1.5 * np.linspace(0, 1, 5)[:, None])
    domain.variable("k", COEFFICIENTS)
    (k,) = domain.variable("k", split=True)
    close(value(k * x)[1], -np.linspace(0, 1, 5)[:, None])


# -- values at points ----


@pytest.mark.parametrize(
    ("shape", "options"), [((5,), {"point_data": True}), ((5, 1), {}), ((5, 1), {"point_data": True})]
)
@pytest.mark.parametrize("samples", [1, 3, 8])
def test_measurements_at_the_points_of_a_tag(shape, options, samples):
    domain, x = line(samples)
    measured = 1 + np.linspace(0, 1, 5) ** 2
    m = domain.variable("m", measured.reshape(shape), **options)
    crux = jno.core([(x**2 - m).mse])
    close(crux.eval((x**2 + 1 - m).mse), np.zeros(samples))
    close(crux.eval(x - m)[..., 0], np.broadcast_to(np.linspace(0, 1, 5) - measured, (samples, 5)))


def test_vector_measurements_at_the_points_of_a_tag():
    domain, x = line()
    table = np.random.default_rng(0).random((5, 2))
    close(value(domain.variable("v", table) * x)[0], table * np.linspace(0, 1, 5)[:, None])


def test_measurements_at_points_of_their_own():
    domain, _ = line()
    table = np.random.default_rng(0).random((7, 2))
    xs, measured = domain.variable("sensors", table, point_data=True, split=True)
    again = domain.variable("again", table[:, 1:])
    close(value(xs - measured), value(xs - again))


def test_measurements_at_points_that_are_replaced_are_refused():
    domain = jno.domain.line(mesh_size=0.1)
    x, _ = domain.variable("interior", (7, None), jno.sampler.random(1, 1.0, 0))
    m = domain.variable("m", np.ones((7, 1)))
    with pytest.raises(ValueError, match=r"'m' has 7 rows, as many as 'interior' has points, but those are replaced"):
        jno.core([(x - m).mse])


@pytest.mark.parametrize("shape", [(4, 1), (5, 5), (5, 1, 1)])
def test_tables_that_fit_nothing_are_refused_without_advice_that_misleads(shape):
    domain, x = line()
    m = domain.variable("m", np.ones(shape))
    with pytest.raises(
        ValueError, match=r"neither .* B=1 nor 1.*'interior' 5.*point_data=True.*array\[None\]"
    ) as caught:
        jno.core([(x - m).mse])
    assert f"{shape[0]} * domain" not in str(caught.value)


def test_a_vector_that_meets_points_names_point_data():
    domain, x = line()
    m = domain.variable("m", np.arange(5.0))
    for misfit in (x - m, jno.np.concat([x, m])):
        with pytest.raises(ValueError, match=r"a row of 5 entries meets 5 points.*point_data=True"):
            jno.core([misfit.mse])
