"""Quadrilaterals, pyramids, wedges, hexahedra and elements of second order as first-order simplices; mesh quality."""

import re
from itertools import combinations, permutations

import meshio
import numpy as np
import pytest

from jno.domain import domain
from jno.domain.mesh import KINDS, MeshFileError, RawMesh, linear_kind, signed_measures, simplex_keys, simplicial
from jno.domain.mesh._conformity import inner_boundary

CUBE = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 1], [1, 0, 1], [1, 1, 1], [0, 1, 1]], float)
WEDGES = [[0, 1, 3, 4, 5, 7], [1, 2, 3, 5, 6, 7]]


def raw(points, **blocks):
    return RawMesh(np.asarray(points, float), tuple((kind, np.asarray(rows)) for kind, rows in blocks.items()))


def built(points, **blocks):
    """The domain of a mesh in memory."""
    cells = [(kind, np.asarray(rows)) for kind, rows in blocks.items()]
    points = np.asarray(points, float)
    return domain(lambda geo: (meshio.Mesh(points, cells), points.shape[1], 0.5))


def measure(d, tag="interior"):
    return d.quadrature(tag).weights.sum()


def mixed_grid(seed, warp=0.0):
    """A 3 x 3 x 3 grid of hexahedra, pairs of wedges and sixfold pyramids, its nodes moved and renumbered at random."""
    random = np.random.default_rng(seed)
    grid = np.arange(64).reshape(4, 4, 4)
    points = np.stack(np.meshgrid(*[np.arange(4.0)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    inside = np.all((points > 0) & (points < 3), axis=1)
    points[inside] += warp * random.uniform(-1, 1, (inside.sum(), 3))
    blocks = {"hexahedron": [], "wedge": [], "pyramid": []}
    middles = []
    for i, j, k in np.ndindex(3, 3, 3):
        corners = grid[i : i + 2, j : j + 2, k : k + 2].transpose(2, 1, 0).reshape(-1)[[0, 1, 3, 2, 4, 5, 7, 6]]
        # wedges have triangles on two sides: they stand in columns, which no other kind of cell interrupts
        kind = "wedge" if (i, j) in ((0, 0), (1, 2)) else random.choice(["hexahedron", "pyramid"])
        if kind == "pyramid":
            middles.append(points[corners].mean(axis=0))
            blocks[kind] += [[*corners[list(face)], 63 + len(middles)] for face in KINDS["hexahedron"].faces]
        elif kind == "wedge":
            blocks[kind] += [list(corners[row]) for row in WEDGES]
        else:
            blocks[kind].append(list(corners))
    points = np.concatenate([points, np.reshape(middles, (-1, 3))])
    order = random.permutation(len(points))
    return points[np.argsort(order)], {kind: order[np.array(rows)] for kind, rows in blocks.items()}


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("warp", [0.0, 0.1])
def test_mixed_cells_fill_the_volume_and_share_their_faces(seed, warp):
    points, blocks = mixed_grid(seed, warp)
    cells = np.concatenate([nodes for _, nodes in simplicial(raw(points, **blocks), "this mesh").blocks])
    assert np.all(np.abs(signed_measures(points, cells)) > 1e-6)
    assert np.abs(signed_measures(points, cells)).sum() == pytest.approx(27.0)
    faces = np.concatenate([cells[:, list(three)] for three in combinations(range(4), 3)])
    _, first, count = np.unique(simplex_keys(faces, len(points)), return_index=True, return_counts=True)
    assert count.max() == 2
    outer = points[faces[first[count == 1]]]
    flush = [np.all(outer[..., axis] == side, axis=1) for axis in range(3) for side in (0.0, 3.0)]
    assert np.all(np.any(flush, axis=0))
    assert len(outer) == 2 * 9 * 6


def test_every_numbering_of_the_corners_gives_the_volume_of_the_cell():
    for kind, cell, volume in (
        ("hexahedron", range(8), 1.0),
        ("wedge", WEDGES[0], 0.5),
        ("pyramid", [0, 1, 2, 3, 6], 1 / 3),
    ):
        random = np.random.default_rng(0)
        for _ in range(40):
            order = random.permutation(8)
            points = CUBE[np.argsort(order)]
            ((made, cells),) = simplicial(raw(points, **{kind: [order[list(cell)]]}), "this mesh").blocks
            assert made == "tetra"
            assert np.abs(signed_measures(points, cells)).sum() == pytest.approx(volume)


def test_faces_that_are_named_are_those_of_the_tetrahedra():
    """Quadrilaterals on the sides of hexahedra, in another order of their corners."""
    points, blocks = mixed_grid(1)
    top = [row[list(face)] for row in blocks["hexahedron"] for face in KINDS["hexahedron"].faces]
    top = [np.roll(face, 1) for face in top if np.all(points[face][:, 2] == 3.0)]
    cells = [*blocks.items(), ("quad", np.array(top))]
    sets = {"top": [np.zeros(0, int)] * 3 + [np.arange(len(top))]}
    d = domain(lambda geo: (meshio.Mesh(points, cells, cell_sets=sets), 3, 1.0))
    assert measure(d, "top") == pytest.approx(len(top))
    assert np.allclose(d.normals_by_tag["top"], [0.0, 0.0, 1.0])


def test_cells_with_collapsed_corners():
    """A wedge written as a hexahedron, a triangle written as a quadrilateral."""
    assert measure(built(CUBE, hexahedron=[[0, 1, 3, 3, 4, 5, 7, 7]])) == pytest.approx(0.5)
    assert measure(built(CUBE[:4, :2], quad=[[0, 1, 2, 2]])) == pytest.approx(0.5)


def test_a_cell_with_a_straight_corner_in_its_sides():
    """The prism over a triangle with a node in the middle of one side, at which alone both ends can be cut."""
    flat = [[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [1.0, 1.0]]
    points = np.array([[x, y, z] for z in (0.0, 1.0) for x, y in flat])
    for order in list(permutations(range(8)))[::1999]:
        order = np.array(order)
        assert measure(built(points[np.argsort(order)], hexahedron=[order])) == pytest.approx(1.0)


def test_cells_that_cannot_be_split():
    crossed = [0, 1, 3, 2, 4, 5, 6, 7]
    with pytest.raises(MeshFileError, match="has 1 elements of kind 'hexahedron' that are concave, inverted or list"):
        built(CUBE, hexahedron=[crossed])


# -- quadrilaterals in the plane ----
@pytest.mark.parametrize("turn", range(4))
@pytest.mark.parametrize("order", [(0, 1, 2, 3, 4), (4, 2, 0, 3, 1), (1, 4, 3, 0, 2)])
def test_concave_quadrilaterals_are_cut_inside(turn, order):
    """A unit square of two quadrilaterals, one of which is concave at (0.6, 0.4)."""
    points = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.6, 0.4]])
    order = np.array(order)
    cells = order[np.array([np.roll([0, 1, 2, 4], turn), np.roll([0, 4, 2, 3], turn)])]
    d = built(points[np.argsort(order)], quad=cells)
    assert measure(d) == pytest.approx(1.0)
    assert measure(d, "boundary") == pytest.approx(4.0)
    assert d.mesh.cells.shape == (4, 3)


def test_quadrilaterals_with_crossing_sides_are_refused():
    with pytest.raises(MeshFileError, match=r"1 quadrilaterals with crossing sides .*list the corners around"):
        built(CUBE[:4, :2], quad=[[0, 1, 3, 2]])


# -- elements of higher order ----
@pytest.mark.parametrize(
    ("kind", "base"),
    [
        ("tetra10", "tetra"),
        ("quad9", "quad"),
        ("line3", "line"),
        ("vertex", "vertex"),
        ("VTK_LAGRANGE_TETRAHEDRON", "tetra"),
        ("VTK_BEZIER_CURVE", "line"),
        ("polyhedron8", "polyhedron8"),
    ],
)
def test_first_order_kinds(kind, base):
    assert linear_kind(kind) == base


def test_second_order_elements_are_read_with_their_corners(capfd):
    nodes = np.concatenate([CUBE[:4, :2], [[0.5, 0], [1, 0.5], [0.5, 1], [0, 0.5]]])
    sides = [[0, 1, 4], [1, 2, 5]]
    sets = {"sides": [np.zeros(0, int), np.array([0, 1])]}
    mesh = meshio.Mesh(nodes, [("quad8", np.arange(8)[None]), ("line3", np.array(sides))], cell_sets=sets)
    d = domain(lambda geo: (mesh, 2, 0.5))
    said = capfd.readouterr().out
    assert said.count("elements of second or higher order (line, quad); they are read with their corner nodes") == 1
    assert d.points.shape == (4, 2)
    assert measure(d) == pytest.approx(1.0)
    assert measure(d, "sides") == pytest.approx(2.0)


# -- boundaries that are none ----
def unglued(points, cells, shift):
    """A mesh and a copy beside it that has its own nodes."""
    return np.concatenate([points, np.add(points, shift)]), np.concatenate([cells, np.add(cells, len(points))])


@pytest.mark.parametrize(
    ("points", "kind", "cells", "shift", "message"),
    [
        ([[0.0], [1.0]], "line", [[0, 1]], [1.0], "2 of 4 boundary points lie inside.* 2 nodes there are doubled"),
        (CUBE[:4, :2], "quad", [[0, 1, 2, 3]], [0, 1], "2 of 8 boundary edges lie inside.* 4 nodes there are doubled"),
        (CUBE, "wedge", WEDGES, [0, 0, 1], "4 of 24 boundary triangles lie inside.* 8 nodes there are doubled"),
    ],
)
def test_parts_that_are_not_glued(points, kind, cells, shift, message, capfd):
    points, cells = unglued(points, cells, shift)
    built(points, **{kind: cells})
    assert len(re.findall(message + ".* and 0 hang", capfd.readouterr().out)) == 1


def test_nodes_that_hang(capfd):
    """One triangle beside two, of which the latter's common node is on its side."""
    points = [[0, 0], [2, 0], [0, 2], [1, 1], [2, 2]]
    built(points, triangle=[[0, 1, 2], [1, 4, 3], [4, 2, 3]])
    assert "3 of 7 boundary edges lie inside" in (said := capfd.readouterr().out)
    assert "0 nodes there are doubled (parts that are not glued, or a slit) and 1 hang" in said


def test_different_cuts_of_a_common_face(capfd):
    """A square between two pyramids, cut along another diagonal in each: no node is wrong, the edges are."""
    below = np.array([[0.5, 0.5, -1.0]])
    built(np.concatenate([CUBE, below]), tetra=[[0, 1, 2, 6], [0, 2, 3, 6], [0, 1, 3, 8], [1, 2, 3, 8]])
    assert "4 of 12 boundary triangles lie inside" in (said := capfd.readouterr().out)
    assert "0 hang on the side of another cell; without either, a face is cut along another diagonal" in said


@pytest.mark.parametrize(
    "d", [domain.rect(mesh_size=0.2), domain.cube(mesh_size=0.34), domain.line(mesh_size=0.2)], ids=["2", "3", "1"]
)
def test_a_conforming_mesh_has_no_inner_boundary(d):
    assert not np.any(inner_boundary(d.mesh))
