"""Which points are paired: translates whatever their order, matched samples, data; nothing else of equal number."""

import numpy as np
import pytest
import shapely
from helpers import evaluate, mlp

import jno
from jno.compiler._pairing import translated_order


def on(domain, tag, *arguments, **options):
    """Coordinates of a tag without the time."""
    return domain.variable(tag, *arguments, **options)[: domain.dimension]


def profile(y, z=0.0):
    """A function along the boundary that no reversal leaves as it is."""
    return y**3 + 2 * y + 5 * z * y + z**2


DOMAINS = {
    "rect": lambda: jno.domain.rect(mesh_size=0.25),
    "equi_distant": lambda: jno.domain.equi_distant_rect(nx=4, ny=5),
    "cube": lambda: jno.domain.cube(mesh_size=0.5),
}


@pytest.fixture(scope="module", params=DOMAINS)
def box(request):
    return DOMAINS[request.param]()


# --- translates -----------------------------------------------------------------------------------------------
def test_opposite_sides_are_paired_point_by_point(box):
    (_, *left), (_, *right) = on(box, "left"), on(box, "right")
    difference = profile(*left) - profile(*right)
    np.testing.assert_allclose(evaluate(difference), 0.0, atol=1e-6)
    # the same by hand, in the order of the first operand
    order = translated_order(box.context["left"][0, 0], box.context["right"][0, 0])
    xl, xr = on(box, "left")[1], on(box, "right")[1]
    np.testing.assert_allclose(evaluate(xl - 3 * xr), evaluate(xl) - 3 * evaluate(xr)[:, order], atol=1e-6)
    if box.dimension == 2:
        assert order.tolist() != sorted(order)  # the two sides run in opposite senses


def test_a_periodic_condition_of_a_network_and_its_gradient_are_those_of_the_paired_points(box):
    (xl, *left), (xr, *right) = on(box, "left"), on(box, "right")
    net = mlp(box.dimension)
    condition = net(xl, *left) - net(xr, *right)
    slope = net(xl, *left).d(xl) - net(xr, *right).d(xr)
    value, slopes = evaluate([condition, slope])
    moved = net(xl + 1, *left)
    expected, expected_slopes = evaluate([net(xl, *left) - moved, net(xl, *left).d(xl) - moved.d(xl)])
    np.testing.assert_allclose(value, expected, atol=1e-6)
    np.testing.assert_allclose(slopes, expected_slopes, atol=1e-5)


def test_equispaced_points_of_polygon_edges_are_paired():
    domain = jno.domain(shapely.box(0.0, 0.0, 2.0, 1.0))
    (_, yl), (_, yr) = (on(domain, tag, (5, "equispaced")) for tag in ("left", "right"))
    np.testing.assert_allclose(evaluate(profile(yl) - profile(yr)), 0.0, atol=1e-6)
    assert np.abs(evaluate(yl) - evaluate(yr)).max() > 0.1


def test_operations_of_several_operands_pair_all_of_them(box):
    (_, yl, *_), (_, yr, *_) = on(box, "left"), on(box, "right")
    values = evaluate([jno.np.concat([yl, yr, yl - yr]), jno.np.where(yl > 0.4, yl, yr) - yl, jno.fn(_minus, [yl, yr])])
    np.testing.assert_allclose(values[0][..., 0], values[0][..., 1], atol=1e-6)
    for value in (values[0][..., 2], *values[1:]):
        np.testing.assert_allclose(value, 0.0, atol=1e-6)


def _minus(a, b):
    return a - b


def test_the_start_has_the_points_of_the_interior():
    domain = jno.domain.rect(mesh_size=0.5, time=(0.0, 1.0, 3))
    (x, y), (x0, y0) = on(domain, "interior"), on(domain, "initial")
    np.testing.assert_array_equal(evaluate(x * y - x0 * y0), 0.0)


def test_samples_of_equal_geometries_and_evaluation_on_another_mesh():
    coarse, fine = jno.domain.rect(mesh_size=0.5), jno.domain.rect(mesh_size=0.2)
    (_, yl), (_, yr) = on(coarse, "left"), on(coarse, "right")
    core = jno.core([(yl - yr).mse], domain=coarse)
    value = core.eval(profile(yl) - profile(yr), domain=fine)
    assert value.shape == (1, 6, 1)
    np.testing.assert_allclose(value, 0.0, atol=1e-6)
    several = 3 * jno.domain.rect(mesh_size=0.5)
    (_, yl), (_, yr) = on(several, "left"), on(several, "right")
    np.testing.assert_allclose(evaluate(yl - yr), 0.0, atol=1e-6)


# --- matched points -------------------------------------------------------------------------------------------
@pytest.mark.parametrize("sampler", [None, "uniform", "sobol"])
def test_matched_points_are_the_translates_in_their_order(box, sampler):
    count = 4 if sampler is None else 16
    _, *left = on(box, "left", (count, sampler))
    left_key = left[0].tag
    *right, _ = box.variable("right", like=left[0], normals=True, split=True)
    key = right[0].tag
    shift = box.context[key] - box.context[left_key]
    np.testing.assert_allclose(shift, np.broadcast_to(np.eye(box.dimension)[0], shift.shape), atol=1e-12)
    np.testing.assert_allclose(box.context[f"n_{key}"] - np.eye(box.dimension)[0], 0.0, atol=1e-6)
    np.testing.assert_allclose(evaluate(profile(*left) - profile(*right[1 : box.dimension])), 0.0, atol=1e-6)


def test_points_matched_with_matched_points_are_matched_with_the_first():
    domain = jno.domain(shapely.box(0.0, 0.0, 1.0, 1.0))
    (_, yl) = on(domain, "left", (6, None))
    (_, yr) = on(domain, "right", like="left")
    (_, again) = on(domain, "left", like=yr)
    np.testing.assert_allclose(evaluate(yl - again), 0.0, atol=1e-6)
    np.testing.assert_allclose(evaluate(yl - yr), 0.0, atol=1e-6)


def test_matched_points_are_matched_on_another_domain_too():
    make = [jno.domain(shapely.box(0.0, 0.0, width, 1.0)) for width in (1.0, 3.0)]
    xl, yl = on(make[0], "left", (6, None))
    xr, yr = on(make[0], "right", like=xl)
    core = jno.core([(yl - yr).mse])
    np.testing.assert_allclose(core.eval(yl - yr, domain=make[1]), 0.0, atol=1e-6)
    np.testing.assert_allclose(core.eval(xr - xl, domain=make[1]), 3.0, atol=1e-6)


def test_a_domain_without_the_first_boundary_leaves_matched_points_out():
    here, there = jno.domain.rect(mesh_size=0.5), jno.domain.rect((2.0, 3.0), mesh_size=0.5)
    here.tag("inlet", lambda x, y: x == 0)
    xi = on(here, "inlet")[0]
    matched = on(here, "right", like=xi)[0]
    context = there.context_for(here)
    assert "inlet" not in context
    assert matched.tag not in context


def test_what_cannot_be_matched_is_refused(box):
    xl = on(box, "left")[0]
    with pytest.raises(ValueError, match=r"like='left'.*'top'.* is not a translate of 'left'.* u\(y, x\)"):
        box.variable("top", like=xl)
    with pytest.raises(ValueError, match=r"like='nowhere'.*sampled before; there are \[.*'left"):
        box.variable("right", like="nowhere")
    elsewhere = on(jno.domain.rect(mesh_size=0.5), "left")[0]
    with pytest.raises(ValueError, match=r"give a variable \(or the key\) of points sampled before"):
        box.variable("right", like=elsewhere)
    with pytest.raises(ValueError, match=r"takes no sample=: the points are those of 'left\S*'"):
        box.variable("right", (3, None), like=xl)
    with pytest.raises(ValueError, match=r"'interior' is not a boundary tag"):
        box.variable("interior", like=xl)
    with pytest.raises(ValueError, match=r"neither of the two may have a resampling strategy.*u\(x \+ 1, y\)"):
        box.variable("right", resampling_strategy=jno.sampler.rad(), like=xl)
    with pytest.raises(ValueError, match=r"takes only split= and point_data=; got like"):
        box.variable("values", np.ones((3, 1)), like=xl)


# --- what only happens to have as many points -----------------------------------------------------------------
def refuse(expression, match):
    with pytest.raises(ValueError, match=match):
        jno.core([expression.mse])


def test_other_sets_of_as_many_points_are_refused(box):
    x, y = on(box, "interior", (5, None))[:2]
    again = on(box, "interior", (5, None))[:2]
    tag = again[0].tag
    pairing = rf"the points of 'interior\S*' would be paired with those of '{tag}' by position.*index, v\[order\]"
    refuse(x - again[0], pairing)
    refuse(mlp(2)(x, again[1]), pairing)
    refuse(jno.np.concat([x, again[1]]), pairing)
    refuse(x.d(x) * again[1] + y, pairing)
    boundary = on(box, "boundary", (5, None))
    refuse(x * y - boundary[0], "neither is the translate of the other")
    left, right = on(box, "left", (4, "uniform")), on(box, "right", (4, "uniform"))
    refuse(left[1] - right[1], r"domain\.variable\('right\S*', like='left\S*'\)")


def test_sets_that_are_replaced_during_training_are_refused():
    domain = jno.domain.rect(mesh_size=0.5)
    _, yl = on(domain, "left", resampling_strategy=None)
    _, yr = on(domain, "right", resampling_strategy=jno.sampler.RandomResampling(2, 1.0, 0))
    refuse(yl - yr, "the points of 'right' are replaced during training")


def test_reduced_and_indexed_values_and_data_pair_with_everything(box):
    x = on(box, "interior", (5, None))[0]
    other = on(box, "boundary", (5, None))[0]
    sensors = box.variable("sensors", np.arange(5.0)[:, None], point_data=True)
    reading = box.variable("reading", np.arange(5.0)[None, :, None] + 1.0)
    first, second = evaluate(x), evaluate(other)
    values = evaluate([x - other.mean, x - other[::-1], sensors - reading, x * sensors, x[:3] - other[2:]])
    expected = [first - second.mean(), first - second[:, ::-1], -np.ones((1, 5, 1)), first * np.arange(5.0)[:, None]]
    for value, array in zip(values, [*expected, first[:, :3] - second[:, 2:]], strict=True):
        np.testing.assert_allclose(value, array, atol=1e-6)


def test_outer_products_of_two_point_sets_stay(box):
    x = on(box, "interior", (5, None))[0]
    other = on(box, "boundary", (5, None))[0]
    outer, a, b = evaluate([x @ other.T, x, other])
    np.testing.assert_allclose(outer[0], a[0] @ b[0].T, atol=1e-6)
    refuse(x.T @ other, "would be paired")


def test_time_levels_and_samples_keep_the_pairing():
    """Folded over samples and levels the values still know their points."""
    domain = 2 * jno.domain.rect(mesh_size=0.5, time=(0.0, 1.0, 3))
    (xl, yl, tl), (xr, yr, tr) = domain.variable("left"), domain.variable("right")
    xb, yb, tb = domain.variable("interior", (len(domain.context["left"][0, 0]), None))
    net = mlp(3)
    value = evaluate(net(xl, yl, tl) - net(xr - 1, yr, tr), min_consecutive=None)
    np.testing.assert_allclose(value, 0.0, atol=1e-6)
    with pytest.raises(ValueError, match="neither is the translate"):
        evaluate(net(xl, yl, tl) - net(xb, yb, tb), min_consecutive=None)


def test_a_translate_of_a_random_cloud_is_recognised_and_a_rotated_one_is_not():
    points = np.random.default_rng(0).normal(size=(50, 3))
    order = np.random.default_rng(1).permutation(50)
    shifted = points + np.array([1.0, -2.0, 0.5])
    np.testing.assert_array_equal(translated_order(points, shifted[np.argsort(order)]), order)
    assert translated_order(points, points[:, ::-1]) is None
    moved = points.copy()
    moved[7] += 1e-3
    assert translated_order(points, moved) is None
