"""Integrals over every kind of region: shapes with holes and corners, faces, ends, regions of the user."""

import numpy as np
import pytest
from helpers import evaluate, unit_square
from meshes import disk, l_shape, square_with_round_hole, square_with_square_hole

import jno

SHAPES = {
    "disk": disk,
    "L": l_shape,
    "square hole": square_with_square_hole,
    "round hole": square_with_round_hole,
}


# --- shapes with curved, re-entrant and several boundaries -----------------------------------------------------------
def polygon_of(name, size):
    """Area, perimeter and first moment in x of the meshed (polygonal) shape."""
    if name == "disk":
        sides = 6 * round(1 / size)
        chord = 2 * np.sin(np.pi / sides)
        return sides * np.sin(2 * np.pi / sides) / 2, sides * chord, 0.0
    if name == "L":
        return 0.75, 4.0, 0.5 * 0.25 + 0.25 * 0.75
    if name == "square hole":
        return 0.875, 5.5, 0.5 - 0.125 * 0.375
    side = 2 * round(0.5 / size)
    tangent = np.linspace(-1, 1, side + 1)
    quarter = 0.25 * np.stack([tangent, np.full(side + 1, 1.0)], -1) / np.sqrt(1 + tangent**2)[:, None]
    steps = np.diff(quarter, axis=0)
    hole = 4 * np.sum(quarter[1:, 0] * quarter[:-1, 1] - quarter[:-1, 0] * quarter[1:, 1]) / 2
    return 1 - hole, 4 + 4 * np.sum(np.linalg.norm(steps, axis=1)), 0.0


@pytest.mark.parametrize("name", SHAPES)
def test_constants_and_linear_fields_on_shapes(name):
    size = 0.0625 if name == "square hole" else 0.05
    domain = SHAPES[name](size)
    x, y, _ = domain.variable("interior")
    xb, yb, _, nx, ny = domain.variable("boundary", normals=True, split=True)
    area, perimeter, moment = polygon_of(name, size)
    values = evaluate(
        [
            (0 * x + 1).integrate(),
            (0 * xb + 1).integrate(),
            x.integrate(),
            nx.integrate(),
            ny.integrate(),
            ((3 * xb - yb) * nx + (xb + 2 * yb) * ny).integrate(),
            ((3 * x - y).d(x) + (x + 2 * y).d(y)).integrate(),
        ]
    )
    expected = [area, perimeter, moment, 0.0, 0.0, 5 * area, 5 * area]
    np.testing.assert_allclose(np.ravel(values), expected, rtol=3e-6, atol=3e-6)


@pytest.mark.parametrize("name", SHAPES)
def test_divergence_theorem_on_shapes(name):
    """Smooth field, exact normals: 5e-3 at ``h = 0.05``, of second order."""
    gaps = []
    for size in (0.125, 0.0625) if name == "square hole" else (0.1, 0.05):
        domain = SHAPES[name](size)
        x, y, _ = domain.variable("interior")
        xb, yb, _, nx, ny = domain.variable("boundary", normals=True, split=True)
        fx, fy = jno.np.sin(x + 2 * y) + x**2, jno.np.exp(x) * y**2
        gx, gy = fx(xb, yb), fy(xb, yb)
        inside, outside = np.ravel(evaluate([(fx.d(x) + fy.d(y)).integrate(), (gx * nx + gy * ny).integrate()]))
        gaps.append(abs(inside - outside))
    assert gaps[-1] < 5e-3
    assert np.log2(gaps[0] / gaps[1]) > 1.8


def test_curved_shapes_converge_to_their_measures():
    """Area π and perimeter 2π of the disk, with second order; the flux of the radial field is twice the area."""
    errors = []
    for size in (0.1, 0.05):
        domain = disk(size)
        x, _, _ = domain.variable("interior")
        xb, yb, _, nx, ny = domain.variable("boundary", normals=True, split=True)
        values = evaluate(
            [(0 * x + 1).integrate(), (0 * xb + 1).integrate(), (xb * nx + yb * ny).integrate(), (x**2).integrate()]
        )
        errors.append(np.abs(np.ravel(values) - np.pi * np.array([1, 2, 2, 0.25])))
    assert np.all(errors[1] < 5e-3)
    assert np.all(np.log2(errors[0] / errors[1]) > 1.8)


def test_regions_of_a_cube():
    """Faces of area one with linear fields, and the divergence theorem in three dimensions."""
    cube = jno.domain.cube(mesh_size=0.25)
    cube.tag("lower", lambda x, y, z: z <= 0.5)
    cube.tag("patch", lambda x, y, z: (z == 0) & (x <= 0.5))
    x, y, z, _ = cube.variable("interior")
    xb, yb, zb, _, nx, ny, nz = cube.variable("boundary", normals=True, split=True)
    faces = [cube.variable(face) for face in ("left", "right", "front", "back", "bottom", "top")]
    lower, patch = cube.variable("lower"), cube.variable("patch")
    values = np.ravel(
        evaluate(
            [
                *[(0 * face[0] + 1).integrate() for face in faces],
                *[(face[0] + 2 * face[1] + 4 * face[2]).integrate() for face in faces],
                (0 * lower[0] + 1).integrate(),
                lower[2].integrate(),
                (0 * patch[0] + 1).integrate(),
                patch[0].integrate(),
                (xb * nx - 2 * yb * ny + 5 * zb * nz).integrate(),
                (x.d(x) - 2 * y.d(y) + 5 * z.d(z)).integrate(),
            ]
        )
    )
    linear = [3.0, 4.0, 2.5, 4.5, 1.5, 5.5]
    np.testing.assert_allclose(values, [1.0] * 6 + linear + [0.5, 0.125, 0.5, 0.125, 4.0, 4.0], rtol=3e-6)


# --- regions of the user ---------------------------------------------------------------------------------------------
def test_sides_carry_their_own_weights():
    """A corner node gives each side its own half edge: ``∫ y`` over the left side is ½, not ⅝."""
    domain = unit_square(0.25)
    points = {tag: domain.variable(tag) for tag in ("left", "bottom", "boundary", "four", "one")}
    nodes = [points["left"][1], points["bottom"][0], points["boundary"][1], points["four"][1], points["one"][1]]
    values = evaluate([node.integrate() for node in nodes])
    np.testing.assert_allclose(np.ravel(values), [0.5, 0.5, 2.0, 0.5, 1.0], rtol=1e-6)


def test_user_regions_integrate_over_their_own_facets_and_cells():
    domain = unit_square(0.25)
    domain.tag("inlet", lambda x, y: (x == 0) & (y >= 0.5))
    domain.tag("corner", lambda x, y: ((x == 0) & (y <= 0.5)) | ((y == 0) & (x <= 0.25)))
    domain.tag("strip", lambda x, y: (y >= 0.25) & (y <= 0.75))
    inlet = domain.variable("inlet", normals=True, split=True)
    corner, strip = domain.variable("corner"), domain.variable("strip")
    where, _, _ = domain.variable("quarter", where=lambda x, y: (x <= 0.5) & (y <= 0.5))
    values = evaluate(
        [
            (0 * inlet[0] + 1).integrate(),
            inlet[1].integrate(),
            inlet[3].integrate(),
            (0 * corner[0] + 1).integrate(),
            (corner[0] + corner[1]).integrate(),
            (0 * strip[0] + 1).integrate(),
            (strip[0] + strip[1]).integrate(),
            where.integrate(),
        ]
    )
    expected = [0.5, 0.375, -0.5, 0.75, 0.125 + 0.03125, 0.5, 0.5, 0.0625]
    np.testing.assert_allclose(np.ravel(values), expected, rtol=2e-6)


def test_regions_of_measure_zero_are_refused():
    domain = unit_square(0.25)
    domain.tag("node", lambda x, y: (x == 0.5) & (y == 0.5))
    x, _, _ = domain.variable("node")
    with pytest.raises(ValueError, match=r"No integral over the tag 'node'.*1 node.*measure zero.*refine"):
        evaluate((0 * x + 1).integrate())


def test_ends_of_an_interval_are_counted():
    domain = jno.domain.line((1.0, 4.0), mesh_size=0.5)
    domain.tag("end", lambda x: x == 4.0)
    left, both, end = (domain.variable(tag, normals=True, split=True) for tag in ("left", "boundary", "end"))
    nodes = [0 * left[0] + 1, 0 * both[0] + 1, both[0], end[0], both[0] ** 2 * both[2], both[2], end[2]]
    values = evaluate([node.integrate() for node in nodes])
    np.testing.assert_allclose(np.ravel(values), [1.0, 2.0, 5.0, 4.0, 15.0, 0.0, 1.0], rtol=1e-6)


def test_repeated_samples_keep_their_region():
    domain = unit_square(0.25)
    first, _, _ = domain.variable("left", sample=(2, None))
    second, y, _ = domain.variable("left", sample=(3, None))
    values = evaluate([(0 * first + 1).integrate(), (second + y).integrate()])
    np.testing.assert_allclose(np.ravel(values), [1.0, 0.5], rtol=1e-6)
    assert second.tag == "left@1"


def test_inward_normals_stay_inward():
    domain = unit_square(0.25)
    x, y, _, nx, ny = domain.variable("boundary", normals=True, reverse_normals=True, split=True)
    np.testing.assert_allclose(evaluate((x * nx + y * ny).integrate()), [-2.0], rtol=1e-6)


def test_points_of_the_user_have_no_weights():
    domain = unit_square(0.5)
    x, _ = domain.variable("sensors", np.zeros((3, 2)), point_data=True, split=True)
    with pytest.raises(ValueError, match=r"No integral over 'sensors'.*without weights.*\.mean"):
        evaluate(x.integrate())


def test_regions_on_another_domain():
    """Evaluated on a finer mesh, an integral runs over that mesh: also for samples and regions it does not know."""
    domain, fine = unit_square(0.5), unit_square(0.125)
    domain.tag("half", lambda x, y: x <= 0.5)
    x, _, _ = domain.variable("interior")
    some, _, _ = domain.variable("interior", sample=(3, None))
    half, _, _ = domain.variable("half")
    nodes = [(x**2).integrate(), (some**2).integrate(), (0 * half + 1).integrate()]
    core = jno.core(nodes)
    own, other = np.ravel(core.eval(nodes)), np.ravel(core.eval(nodes, domain=fine))
    np.testing.assert_allclose(own[[0, 2]], [1 / 3 + 0.5**2 / 6, 0.5], rtol=1e-5)
    np.testing.assert_allclose(other, [1 / 3 + 0.125**2 / 6, 1 / 3 + 0.125**2 / 6, 0.5], rtol=1e-5)
