"""Regions of the user: predicates, shapely geometries and facet predicates; measures, normals, and errors by text."""

import numpy as np
import pytest
import shapely
from shapely.geometry import LineString, Point, box

import jno


def quarter(x, y):
    return (x <= 0.5) & (y <= 0.5)


def lower_left_half(x, y):
    return (x == 0.0) & (y <= 0.5)


def upward(x, n, name):
    return n[:, -1] > 0.99


def square(size=0.25, **options):
    return jno.domain.rect(mesh_size=size, **options)


def measure(d, tag):
    return d.quadrature(tag).weights.sum()


def sorted_pool(d, tag):
    return sorted(map(tuple, np.round(d._mesh_pool[tag], 9).tolist()))


# -- what is selected ----


@pytest.mark.parametrize(
    ("build", "where", "expected", "boundary"),
    [
        # coordinates
        (lambda: jno.domain.line(mesh_size=0.25), lambda x: x >= 0.5, 0.5, False),
        (lambda: jno.domain.line(mesh_size=0.25), lambda x: x == 1.0, 1.0, True),
        (square, quarter, 0.25, False),
        (square, lower_left_half, 0.5, True),
        (square, lambda x, y: (x == 0) | (y == 0), 2.0, True),
        (lambda: jno.domain.cube(mesh_size=0.25), lambda x, y, z: (x <= 0.5) & (z >= 0.5), 0.25, False),
        (lambda: jno.domain.cube(mesh_size=0.25), lambda x, y, z: (z == 1) & (x <= 0.5), 0.5, True),
        # shapely geometries
        (square, box(0, 0, 0.5, 0.5), 0.25, False),
        (square, box(-1, 0.25, 0.0, 0.75), 0.5, True),
        (square, LineString([(0, 0), (0.5, 0)]), 0.5, True),
        (square, LineString([(0, 0.5), (0, 0), (0.5, 0)]), 1.0, True),
        (square, shapely.MultiPolygon([box(0, 0, 0.5, 0.5), box(0.5, 0.5, 1, 1)]), 0.5, False),
        # facet predicates
        (lambda: jno.domain.line(mesh_size=0.25), upward, 1.0, True),
        (square, upward, 1.0, True),
        (square, lambda x, n, name: (x[:, 0] < 0.5) & (n[:, 1] < 0), 0.5, True),
        (square, lambda x, normals, names: names in ("left", "top"), 2.0, True),
        (square, lambda x, normal, name: x[:, 0] == 0.0, 1.0, True),
        (lambda: jno.domain.cube(mesh_size=0.25), upward, 1.0, True),
        (lambda: jno.domain.cube(mesh_size=0.25), lambda x, n, name: (x[:, 0] < 0.5) & (n[:, 2] > 0.9), 0.5, True),
        (lambda: jno.domain.cube(mesh_size=0.25), lambda x, n, name: name == "boundary", 6.0, True),
    ],
)
def test_measures_of_tagged_regions(build, where, expected, boundary):
    d = build()
    assert d.tag("mine", where) is d
    assert measure(d, "mine") == pytest.approx(expected, rel=1e-12)
    assert ("mine" in d.normals_by_tag) is boundary
    assert (d.quadrature("mine").normals is not None) is boundary
    assert np.array_equal(d.points[d.tag_indices["mine"]], d._mesh_pool["mine"])
    assert d.available_mesh_tags[-1] == "mine"


def test_all_nodes_that_satisfy_the_predicate_are_selected():
    d = square().tag("mine", quarter)
    assert sorted_pool(d, "mine") == [(x, y) for x in (0.0, 0.25, 0.5) for y in (0.0, 0.25, 0.5)]
    ends = square().tag("ends", lambda x, y: (x == 0.0) & ((y == 0.0) | (y == 1.0)))
    assert sorted_pool(ends, "ends") == [(0.0, 0.0), (0.0, 1.0)]


def test_linear_functions_are_integrated_exactly():
    d = square().tag("quarter", quarter).tag("part", lower_left_half).tag("floor", lambda x, n, name: n[:, 1] < 0)
    for tag, expected in {"quarter": (0.0625, 0.0625), "part": (0.0, 0.125), "floor": (0.5, 0.0)}.items():
        rule = d.quadrature(tag)
        assert np.allclose(rule.weights @ rule.points, expected, atol=1e-14)


def test_a_disk_cut_out_by_shapely_converges_to_its_area():
    disk = Point(0.5, 0.5).buffer(0.3, quad_segs=64)
    gaps = []
    for size in (0.1, 0.05, 0.025):
        d = square(size).tag("disk", disk)
        assert np.all(np.hypot(*(d._mesh_pool["disk"] - 0.5).T) <= 0.3 + 1e-9)
        gaps.append(np.pi * 0.09 - measure(d, "disk"))
    # cells are kept when they lie inside: the area is too small by half a cell along the circle
    assert np.all(np.array(gaps) > 0.0)
    assert gaps[2] < 0.06
    assert gaps[0] > 1.5 * gaps[1] > 2.25 * gaps[2]


def test_cells_between_the_arms_of_a_region_do_not_belong_to_it():
    """All corners of a triangle in a re-entrant corner are selected, the triangle itself is not."""
    d = square().tag("arms", lambda x, y: (x <= 0.25) | (y <= 0.25) | (x >= 0.75))
    assert measure(d, "arms") == pytest.approx(1.0 - 0.5 * 0.75)
    blocks = d.tag("blocks", lambda x, y: quarter(x, y) | ((x >= 0.5) & (y >= 0.5)))
    assert measure(blocks, "blocks") == pytest.approx(0.5)


def test_a_geometry_around_the_domain_selects_all_of_it():
    d = jno.domain.disk(mesh_size=0.2).tag("whole", Point(0, 0).buffer(1.1))
    assert measure(d, "whole") == pytest.approx(16 * np.sin(np.pi / 16))
    assert "whole" not in d.normals_by_tag


def test_points_on_the_outline_of_a_geometry_belong_to_it():
    """Binary fractions of a rotated square are off by rounding errors."""
    corners = np.array([(0.1, 0.2), (0.7, 0.5), (0.4, 1.1), (-0.2, 0.8)])
    d = jno.domain.polygon(corners, 0.1).tag("edge", LineString(corners[:2])).tag("all", shapely.Polygon(corners))
    assert measure(d, "edge") == pytest.approx(np.hypot(0.6, 0.3))
    assert measure(d, "all") == pytest.approx(0.45)


def test_selections_on_the_boundary_follow_the_curve():
    """Also across the corner at which the list of all edges begins."""
    for where in (
        lambda x, y: ((x == 0) & (y <= 0.5)) | ((y == 0) & (x <= 0.5)),
        lambda x, n, name: (x[:, 0] < 0.5) & (x[:, 1] < 0.5),
        box(-1, -1, 0.5, 0.5) - box(0.1, 0.1, 1, 1),
    ):
        pool = square().tag("corner", where)._mesh_pool["corner"]
        assert pool.tolist() == [[0.0, 0.5], [0.0, 0.25], [0.0, 0.0], [0.25, 0.0], [0.5, 0.0]]


def test_a_thick_region_is_a_boundary_location_where_it_touches_the_boundary():
    d = square().tag("quarter", quarter).tag("blob", Point(0.5, 0.5).buffer(0.3))
    points = d._boundary_registry["quarter"]["points"]
    assert sorted(map(tuple, points.tolist())) == [(0, 0), (0, 0.25), (0, 0.5), (0.25, 0), (0.5, 0)]
    assert "blob" not in d.boundary_tags()


def test_pinned_nodes_are_boundary_locations_of_their_own():
    d = square().point_region("inside", (0.55, 0.45)).point_region("side", (0.1, 0.55))
    assert d._boundary_registry["inside"]["points"].tolist() == [[0.5, 0.5]]
    assert d._boundary_registry["side"]["points"].tolist() == [[0.0, 0.5]]
    assert d.normals_by_tag["side"].tolist() == [[-1.0, 0.0]]
    assert "inside" not in d.normals_by_tag


# -- facet predicates ----


def test_facet_predicates_get_centroids_normals_and_every_name():
    seen = {}

    def where(x, n, name):
        seen[name] = (x, n)
        return name == "left"

    d = square(0.5).tag("mine", where)
    assert set(seen) == {"boundary", "left", "right", "bottom", "top", "one", "two", "three", "four"}
    x, n = seen["right"]
    assert np.allclose(x[np.argsort(x[:, 1])], [(1.0, 0.25), (1.0, 0.75)])
    assert np.allclose(n, [1.0, 0.0])
    assert len(seen["boundary"][0]) == 8
    assert np.array_equal(np.sort(d.tag_indices["mine"]), np.sort(d.tag_indices["left"]))


def test_facets_without_a_name_are_called_boundary():
    """The outer sides of the layers of `rect_pml` have no tag; only true boundary facets are asked about."""
    d = jno.domain.rect_pml(mesh_size=0.25).tag("sky", lambda x, n, name: (name == "boundary") & (x[:, 1] > 1.05))
    assert measure(d, "sky") == pytest.approx(1.0 + 2 * 0.2)
    with pytest.raises(ValueError, match="'core_top' selects none of the"):
        d.tag("core_top", lambda x, n, name: name == "top")


def test_facet_predicates_on_unnamed_boundaries():
    d = jno.domain.disk(mesh_size=0.2).tag("east", lambda x, n, name: n[:, 0] > 0.0)
    assert measure(d, "east") == pytest.approx(32 * np.sin(np.pi / 32))
    assert np.all(d.normals_by_tag["east"][:, 0] > 0.0)


# -- normals ----


def test_normals_of_selections_are_those_of_their_own_facets():
    d = square().tag("half", lower_left_half).tag("floor", lambda x, n, name: n[:, 1] < 0).tag("line", box(0, 0, 1, 0))
    assert np.allclose(d.normals_by_tag["half"], [-1.0, 0.0])
    assert np.allclose(d.normals_by_tag["floor"], [0.0, -1.0])
    assert np.allclose(d.normals_by_tag["line"], [0.0, -1.0])
    both = d.tag("both", lambda x, y: (x == 0) | (y == 0))
    corner = np.all(both._mesh_pool["both"] == 0.0, axis=1)
    assert np.allclose(both.normals_by_tag["both"][corner], [[-np.sqrt(0.5), -np.sqrt(0.5)]])


def test_single_boundary_nodes_have_normals():
    d = square().tag("node", lambda x, y: (x == 1.0) & (y == 0.5)).tag("corner", Point(0, 0))
    assert np.allclose(d.normals_by_tag["node"], [[1.0, 0.0]])
    assert np.allclose(d.normals_by_tag["corner"], [[-np.sqrt(0.5), -np.sqrt(0.5)]])


def test_normals_in_one_and_three_dimensions():
    line = jno.domain.line((0, 2)).tag("ends", lambda x: (x == 0) | (x == 2))
    assert line.normals_by_tag["ends"].ravel().tolist() == [-1.0, 1.0]
    assert measure(line, "ends") == 2.0
    cube = jno.domain.cube(mesh_size=0.5).tag("rear", lambda x, y, z: y == 1.0)
    assert np.allclose(cube.normals_by_tag["rear"], [0.0, 1.0, 0.0])


def test_normals_of_a_tag_around_a_hole_point_into_it():
    d = jno.domain.rectangle_with_hole(mesh_size=0.2).tag("rim", box(0.3, 0.3, 0.7, 0.7))
    assert measure(d, "rim") == pytest.approx(1.6)
    assert np.all(np.sum(d.normals_by_tag["rim"] * (0.5 - d._mesh_pool["rim"]), axis=1) > 0)


@pytest.mark.parametrize("where", [quarter, box(0, 0, 0.5, 0.5)])
def test_interior_tags_have_no_normals(where):
    d = square().tag("hot", where)
    with pytest.raises(
        ValueError, match=r"The tag 'hot' has no outward normals: .* Boundary tags: \['bottom'"
    ) as caught:
        d.variable("hot", normals=True)
    assert str(caught.value).endswith("gets a tag by its facets: domain.tag(name, lambda x, n, name: ...).")


# -- sampling ----


@pytest.mark.parametrize("where", [quarter, lower_left_half, Point(0.5, 0.5).buffer(0.3), upward])
@pytest.mark.parametrize("count", [None, 2])
def test_where_is_the_same_as_two_steps(where, count):
    one, two = square(), square().tag("mine", where)
    x, y, _ = one.variable("mine", (count, None), where=where)
    two.variable("mine", (count, None))
    assert (x.tag, y.tag) == ("mine", "mine")
    assert np.array_equal(one.context["mine"], two.context["mine"])
    assert np.array_equal(one.tag_indices["mine"], two.tag_indices["mine"])
    assert np.array_equal(one.quadrature("mine").weights, two.quadrature("mine").weights)


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("time", [None, (0.0, 1.0, 4)])
def test_tagged_points_and_normals_have_four_axes(batch, time):
    made = square(time=time).tag("half", lower_left_half).tag("hot", quarter)
    d = batch * made if batch > 1 else made
    levels = 1 if time is None else 4
    d.variable("half", normals=True)
    d.variable("hot", (5, None))
    assert d.context["half"].shape == d.context["n_half"].shape == (batch, levels, 3, 2)
    assert d.context["hot"].shape == (batch, levels, 5, 2)
    assert np.all(d.context["half"] == d.context["half"][:, :1])
    assert np.all(d.context["hot"] <= 0.5)


def test_batch_rows_draw_their_own_points_of_a_tag():
    d = 8 * square(0.1)
    d.tag("hot", lambda x, y: x > 0.45)
    d.variable("hot", (10, None))
    rows = d.context["hot"][:, 0]
    assert not any(np.array_equal(rows[0], row) for row in rows[1:])
    assert np.all(rows[..., 0] > 0.45)


def test_reversed_normals_of_a_tag_are_a_copy():
    d = square().tag("half", lower_left_half)
    nx = d.variable("half", normals=True, split=True)[3]
    x, _, _, mx, _ = d.variable("half", normals=True, reverse_normals=True, split=True)
    assert np.all(d.context[nx.tag][..., 0] == -1.0)
    assert np.all(d.context[mx.tag][..., 0] == 1.0)
    assert np.allclose(d.quadrature(x.tag).normals, [1.0, 0.0])


def test_more_points_than_a_tag_has():
    d = square().tag("half", lower_left_half)
    with pytest.warns(UserWarning, match="50 points of 'half' were asked for, but only 3 are available; all are used"):
        d.variable("half", (50, None))
    assert d.context["half"].shape == (1, 1, 3, 2)


def test_named_samplers_draw_from_the_tagged_cells_and_facets():
    d = square().tag("half", lower_left_half).tag("hot", quarter)
    d.variable("half", (4, "equispaced"), normals=True)
    d.variable("hot", (200, "sobol"))
    assert np.allclose(np.sort(d.context["half"][0, 0, :, 1]), [0.0625, 0.1875, 0.3125, 0.4375])
    assert np.allclose(d.context["half"][..., 0], 0.0)
    assert d.context["hot"].max() <= 0.5
    assert np.allclose(d.context["hot"].mean(axis=2), 0.25, atol=0.02)


# -- integrals in the trace ----


def test_integrals_over_tags():
    d = square().tag("half", lower_left_half)
    x, y, _ = d.variable("quarter", where=quarter)
    xh, yh, _, nx, _ = d.variable("half", normals=True, split=True)
    xt, _, _ = d.variable("top_part", where=lambda x, n, name: (n[:, 1] > 0) & (x[:, 0] > 0.5))
    nodes = [(x + y).integrate(), yh.integrate(), (nx + 0 * xh).integrate(), xt.integrate()]
    values = np.ravel(jno.core([nodes[0]]).eval(nodes))
    assert np.allclose(values, [0.125, 0.125, -0.5, 0.375], rtol=1e-5)


# -- redefinition ----


def test_a_tag_may_be_redefined_until_it_is_sampled():
    d = square().tag("hot", quarter).tag("hot", lambda x, y: x >= 0.5)
    assert measure(d, "hot") == pytest.approx(0.5)
    d.variable("hot")
    d.tag("hot", box(0.5, 0, 1, 1))  # the same nodes
    with pytest.raises(ValueError, match="'hot' has been sampled already and cannot be redefined as another region"):
        d.tag("hot", quarter)
    with pytest.raises(ValueError, match="'hot' has been sampled already"):
        d.variable("hot", where=quarter)
    assert measure(d, "hot") == pytest.approx(0.5)


def test_a_refused_definition_changes_nothing():
    d = square().tag("hot", quarter)
    with pytest.raises(ValueError, match="selects none"):
        d.tag("hot", lambda x, y: x > 5)
    assert measure(d, "hot") == pytest.approx(0.25)


def test_tags_of_a_copy_are_its_own():
    original = square().tag("hot", quarter)
    clone = jno.domain(original).tag("cold", lower_left_half)
    assert "cold" not in original.available_mesh_tags
    assert "hot" in clone.available_mesh_tags
    timed = jno.domain(original, time=(0.0, 1.0, 3))
    timed.variable("hot")
    assert timed.context["hot"].shape == (1, 3, 9, 2)


# -- batches and merged domains ----


def test_tags_are_kept_by_multiplication():
    d = 3 * square().tag("hot", quarter)
    later = (3 * square()).tag("hot", quarter)
    for made in (d, later):
        made.variable("hot")
        assert made.context["hot"].shape == (3, 1, 9, 2)
        assert [made.quadrature("hot", row=row).weights.sum() for row in range(3)] == pytest.approx([0.25] * 3)


def test_tags_of_merged_domains_are_found_on_every_geometry():
    d = (2 * square() + jno.domain.rect((0, 2), mesh_size=0.25)).tag("low", lambda x, y: y <= 0.5)
    d.tag("floor", lambda x, n, name: n[:, 1] < 0)
    assert [d.quadrature("low", row=row).weights.sum() for row in range(3)] == pytest.approx([0.5, 0.5, 1.0])
    assert [d.quadrature("floor", row=row).weights.sum() for row in range(3)] == pytest.approx([1.0, 1.0, 2.0])
    d.variable("low", (4, None))
    d.variable("floor", (3, None), normals=True)
    assert d.context["low"].shape == (3, 1, 4, 2)
    assert d.context["n_floor"].shape == (3, 1, 3, 2)


def test_tags_that_both_merged_domains_have_are_kept():
    both = square().tag("hot", quarter) + jno.domain.rect((0, 2), mesh_size=0.25).tag("hot", lambda x, y: x > 1.1)
    assert [both.quadrature("hot", row=row).weights.sum() for row in range(2)] == pytest.approx([0.25, 0.75])
    one = square().tag("hot", quarter) + square()
    with pytest.raises(ValueError, match="Unknown tag 'hot'"):
        one.variable("hot")


def test_a_tag_must_select_something_on_every_merged_geometry():
    d = square() + jno.domain.rect((0, 2), mesh_size=0.25)
    with pytest.raises(ValueError, match="'far' selects none of the 25 points"):
        d.tag("far", lambda x, y: x > 1.5)
    assert "far" not in d.available_mesh_tags


def test_names_of_any_merged_geometry_are_taken():
    d = jno.domain.equi_distant_rect() + square()
    with pytest.raises(ValueError, match="'one' belongs to the geometry"):
        d.tag("one", quarter)


# -- point clouds ----

GRID = np.stack(np.meshgrid(np.linspace(0, 1, 5), np.linspace(0, 1, 5), indexing="ij"), axis=-1).reshape(-1, 2)


@pytest.mark.parametrize("where", [quarter, box(0, 0, 0.5, 0.5)])
def test_tags_of_a_cloud_hold_every_point_once(where):
    d = jno.domain.from_array({"interior": GRID, "again": GRID[:3]}).tag("mine", where)
    assert sorted_pool(d, "mine") == [(x, y) for x in (0.0, 0.25, 0.5) for y in (0.0, 0.25, 0.5)]
    d.variable("mine")
    assert d.context["mine"].shape == (1, 1, 9, 2)
    with pytest.raises(ValueError, match="'mine' has no outward normals"):
        d.variable("mine", normals=True)
    with pytest.raises(ValueError, match="'mine' belongs to a point cloud: without a mesh there are no quadrature"):
        d.quadrature("mine")
    assert d.boundary_tags() == []


def test_tags_of_clouds_in_one_and_three_dimensions():
    line = jno.domain.from_array({"a": np.linspace(0, 1, 5)[:, None]}).tag("right", lambda x: x > 0.6)
    assert line._mesh_pool["right"].ravel().tolist() == [0.75, 1.0]
    space = jno.domain.from_array({"a": np.eye(3)}).tag("up", lambda x, y, z: z > 0.5)
    assert space._mesh_pool["up"].tolist() == [[0.0, 0.0, 1.0]]


def test_where_on_a_cloud_and_too_many_points():
    d = jno.domain.from_array({"interior": GRID})
    with pytest.warns(UserWarning, match="100 points of 'mine' were asked for, but only 9 are available"):
        d.variable("mine", (100, None), where=quarter)
    assert d.context["mine"].shape == (1, 1, 9, 2)
    (2 * d).tag("other", quarter).variable("other", (3, None))


# -- on another domain ----


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (quarter, 0.125),
        (box(0, 0, 0.5, 0.5), 0.125),
        (lower_left_half, 0.125),
        (lambda x, n, name: name == "top", 1.5),
    ],
)
def test_tags_are_evaluated_on_another_domain(where, expected):
    train, other = square(0.5), square(0.125)
    x, y, _ = train.variable("mine", where=where)
    total = (x + y).integrate()
    crux = jno.core([total])
    assert np.ravel(crux.eval(total, domain=other)) == pytest.approx([expected])
    points = np.asarray(crux.eval(x + y, domain=other))
    check = square(0.125).tag("mine", where)
    assert np.allclose(np.sort(points.ravel()), np.sort(check._mesh_pool["mine"].sum(axis=1)))
    assert "mine" not in other.available_mesh_tags
    assert "mine" not in other.context


def test_the_own_region_of_the_other_domain_counts():
    train, other = square().tag("mine", quarter), square(0.125).tag("mine", lambda x, y: x >= 0.5)
    x, _, _ = train.variable("mine")
    area = (0 * x + 1).integrate()
    assert np.ravel(jno.core([area]).eval(area, domain=other)) == pytest.approx([0.5])


@pytest.mark.parametrize(
    "other",
    [
        lambda: jno.domain.from_array({"interior": GRID}),
        lambda: jno.domain.polygon([(0, 0), (1, 0.5), (0, 1)], 0.5),
    ],
)
def test_regions_that_do_not_exist_elsewhere_matter_only_where_they_are_used(other):
    train, target = square(), other()
    x, y, _ = train.variable("interior")
    xe, _, _ = train.variable("east", where=lambda x, n, name: n[:, 0] > 0.99)
    crux = jno.core([x + y])
    expected = target._mesh_pool["interior"].sum(axis=1)
    assert np.allclose(np.asarray(crux.eval(x + y, domain=target)).ravel(), expected)
    with pytest.raises(ValueError, match="tag 'east' is not in the domain's context"):
        crux.eval(xe, domain=target)


def test_counted_samples_of_a_tag_are_repeated_elsewhere():
    train = square(0.125)
    x, y, _ = train.variable("hot", (7, None), where=quarter)
    points = np.asarray(jno.core([x + y]).eval([x, y], domain=square(0.0625)))
    assert points.shape == (2, 1, 7, 1)
    assert points.max() <= 0.5


# -- errors ----


def gives_floats(x, y):
    return x


ERRORS = [
    (square, "left", quarter, "'left' belongs to the geometry and cannot be redefined; use another name"),
    (square, "interior", quarter, "'interior' belongs to the geometry"),
    (square, "boundary", box(0, 0, 1, 1), "'boundary' belongs to the geometry"),
    (square, "initial", quarter, "'initial' is reserved"),
    (square, "hot@1", quarter, "'hot@1' is reserved"),
    (square, "__hot", quarter, "'__hot' is reserved"),
    (square, "", quarter, "must be a non-empty string; got ''"),
    (square, "hot", lambda x, y: x > 5, "'hot' selects none of the 25 points of the domain"),
    (square, "hot", box(2, 2, 3, 3), "'hot' selects none of the 25 points"),
    (square, "hot", shapely.Polygon(), "'hot' selects none of the 25 points"),
    (square, "hot", lambda x, n, name: x[:, 0] > 5, "'hot' selects none of the 16 facets of the boundary"),
    (square, "hot", lambda x, n, name: name == "nowhere", "'hot' selects none of the 16 facets"),
    (
        square,
        "hot",
        gives_floats,
        r"2 coordinate arrays of shape \(25,\) .* returned dtype float64",
    ),
    (square, "hot", lambda x, y: (x > 0).astype(int), "it returned dtype int64"),
    (square, "hot", lambda x, y: True, r"it returned dtype bool and shape \(\)"),
    (square, "hot", lambda x, y: [True, False], r"it returned dtype bool and shape \(2,\)"),
    (
        square,
        "hot",
        lambda x, n, name: x[:, 0],
        r"\(16,\) for the facets of 'boundary'; it returned dtype float64",
    ),
    (square, "hot", lambda x, n, name: 1, r"it returned dtype int64 and shape \(\)"),
    (square, "hot", lambda x, n, name: n > 0, r"it returned dtype bool and shape \(16, 2\)"),
    (square, "hot", lambda x, n: x > 0, r"a facet predicate has the parameters \(x, n, name\); got \(x, n\)"),
    (square, "hot", lambda x, normal, m: x > 0, r"has the parameters \(x, n, name\); got \(x, normal, m\)"),
    (square, "hot", "x > 0", "must be a predicate f.* a shapely geometry, or a facet predicate .*; got str"),
    (square, "hot", None, "or a facet predicate .*; got NoneType"),
    (jno.domain.line, "hot", box(0, 0, 1, 1), r"'hot' is a shapely geometry, which is plane; this domain has 1 space"),
    (lambda: jno.domain.cube(mesh_size=0.5), "hot", box(0, 0, 1, 1), "this domain has 3 space dimension"),
    (lambda: jno.domain.from_array({"a": np.zeros((2, 3))}), "hot", Point(0, 0), "this domain has 3 space dimension"),
    (lambda: jno.domain.from_array({"a": GRID}), "hot", upward, "facet predicate, but a point cloud has no facets"),
    (lambda: jno.domain.from_array({"a": GRID}), "hot", lambda x, y: x > 5, "selects none of the 25 points"),
    (lambda: jno.domain.from_array({"a": GRID}), "a", quarter, "'a' belongs to the geometry"),
    (lambda: jno.domain.from_array({"a": GRID}), "hot", gives_floats, "it returned dtype float64"),
]


@pytest.mark.parametrize(("build", "name", "where", "message"), ERRORS)
def test_errors(build, name, where, message):
    with pytest.raises(ValueError, match=message):
        build().tag(name, where)


def test_predicates_with_the_wrong_number_of_coordinates():
    with pytest.raises(TypeError, match="takes 1 positional argument but 2 were given"):
        square().tag("hot", lambda x: x > 0)


def test_names_of_data_are_taken():
    d = square()
    d.variable("k", np.ones(3))
    d.variable("sensors", np.zeros((3, 2)), point_data=True)
    for name in ("k", "sensors"):
        with pytest.raises(ValueError, match=f"'{name}' already names data of this domain"):
            d.tag(name, quarter)
    d.tag("hot", quarter)
    with pytest.raises(ValueError, match="'hot' is a region of this domain and cannot name data"):
        d.variable("hot", np.ones(3))


def test_regions_of_measure_zero_have_no_integral():
    d = square().tag("node", lambda x, y: (x == 0.5) & (y == 0.5))
    with pytest.raises(ValueError, match=r"'node': its 1 node\(s\) contain all nodes of no cell"):
        d.quadrature("node")
    with pytest.raises(ValueError, match="'node' has neither cells nor facets of its own, only 1 node"):
        d.variable("node", (3, "uniform"))


def test_where_needs_a_region_not_data():
    with pytest.raises(ValueError, match="takes only split= and point_data=; got where"):
        square().variable("k", np.ones(3), where=quarter)
