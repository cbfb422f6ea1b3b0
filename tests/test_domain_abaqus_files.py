"""Abaqus input files: several *NODE sections, sets of sets, surfaces, parts and instances, and what is refused."""

import numpy as np
import pytest

from jno.domain import domain
from jno.domain.io._mesh_files._abaqus_elements import element_type
from jno.domain.mesh import KINDS, MeshFileError

NODES = "*NODE\n1, 0., 0., 0.\n2, 1., 0., 0.\n3, 1., 1., 0.\n4, 0., 1., 0.\n"
PLATE = NODES + "*ELEMENT, TYPE=CPS3, ELSET=PLATE\n11, 1, 2, 3\n12, 1, 3, 4\n"
CUBE = [(0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0), (0, 0, 1), (1, 0, 1), (1, 1, 1), (0, 1, 1)]
CUBE_NODES = "*NODE\n" + "".join(f"{row + 1}, {x}, {y}, {z}\n" for row, (x, y, z) in enumerate(CUBE))


def read(tmp_path, text):
    (tmp_path / "m.inp").write_text(text)
    return domain(tmp_path / "m.inp")


def measure(d, tag="interior"):
    return d.quadrature(tag).weights.sum()


def labels(d, tag):
    """The labels of the nodes of a tag, by their place in the square."""
    return sorted([(0, 0), (1, 0), (1, 1), (0, 1)].index(tuple(point)) + 1 for point in d._mesh_pool[tag].tolist())


# -- sets ----
def test_sets_of_sets(tmp_path):
    """Names in one line, names mixed with numbers, a name before its definition, and nodes of elements."""
    sets = "*ELSET, ELSET=LOWER\n11\n*ELSET, ELSET=UPPER\n12\n*ELSET, ELSET=BOTH\nLOWER, UPPER\n"
    sets += "*NSET, NSET=C\nA\n2\n*NSET, NSET=A\n1\n*NSET, NSET=B\nA, 4\n*NSET, NSET=D, ELSET=UPPER\n"
    sets += "*ELSET, ELSET=MIXED\n11, UPPER\n"
    d = read(tmp_path, PLATE + sets)
    assert {tag: measure(d, tag) for tag in ("PLATE", "LOWER", "UPPER", "BOTH", "MIXED")} == pytest.approx(
        {"PLATE": 1, "LOWER": 0.5, "UPPER": 0.5, "BOTH": 1, "MIXED": 1}
    )
    assert {tag: labels(d, tag) for tag in "ABCD"} == {"A": [1], "B": [1, 4], "C": [1, 2], "D": [1, 3, 4]}


def test_definitions_of_the_same_name_add_up(tmp_path):
    text = PLATE.replace("PLATE\n11, 1, 2, 3", "PLATE\n11, 1, 2, 3\n*element, type=cps3, elset=Plate")
    text += "*NSET, NSET=side, GENERATE\n1, 4, 3\n*Nset, nset=SIDE\n 2,\n"
    d = read(tmp_path, text)
    assert measure(d, "PLATE") == pytest.approx(1)
    assert labels(d, "side") == [1, 2, 4]


def test_lower_case_comments_quotes_and_continued_lines(tmp_path):
    text = "*heading\n a title, with, commas\n** comment\n*node, nset=all\n1, 0., 0.\n2, 1.D0, 0.\n\n3, 1., 1.\n"
    text += '** comment\n4, 0.,1.e0\n*element, type=cps8r,\n elset="my plate"\n1, 1, 2, 3, 4, 5,\n6, 7, 8\n'
    text += "*Node\n5, .5, 0.\n6, 1., .5\n7, .5, 1.\n8, 0., .5\n*material, name=steel\n*elastic\n210000., 0.3\n*step\n"
    d = read(tmp_path, text)
    assert measure(d, "my plate") == pytest.approx(1)
    assert labels(d, "all") == [1, 2, 3, 4]
    assert d.points.shape == (4, 2)


def test_ranges_may_have_gaps_lists_are_warned_about(tmp_path, capfd):
    d = read(tmp_path, PLATE + "*ELSET, ELSET=E, GENERATE\n1, 11\n12, 30, 1\n*NSET, NSET=N\n1, 77, 78\n")
    assert measure(d, "E") == pytest.approx(1)
    assert labels(d, "N") == [1]
    said = capfd.readouterr().out
    assert "line 12: the set 'N' lists 2 nodes that do not exist, the first is 77; they are left out" in said
    assert said.count("do not exist") == 1


def test_empty_sets_are_said(tmp_path, capfd):
    assert "E" not in read(tmp_path, PLATE + "*ELSET, ELSET=E\n*NSET, NSET=N\n").available_mesh_tags
    assert "nothing belongs to the set(s) 'E', 'N', which become no tags" in capfd.readouterr().out


# -- surfaces ----
def test_sides_of_plane_elements(tmp_path):
    surfaces = "*SURFACE, NAME=bottom\n11, S1\n*surface, type=element, name=low\n PLATE, s1\n12, S3\n"
    surfaces += "*SURFACE, NAME=corners, TYPE=NODE\nN,\n3, 1.0\n*NSET, NSET=N\n1\n"
    d = read(tmp_path, PLATE + surfaces)
    assert np.allclose(d.normals_by_tag["bottom"], [0.0, -1.0])
    assert measure(d, "bottom") == pytest.approx(1)
    assert measure(d, "low") == pytest.approx(1 + np.sqrt(2) + 1)  # with the diagonal, the side 1 of element 12
    assert labels(d, "corners") == [1, 3]


@pytest.mark.parametrize(
    ("kind", "name", "nodes", "sides"),
    [
        ("hexahedron", "C3D8R", range(1, 9), 1),
        ("wedge", "C3D6", (1, 2, 4, 5, 6, 8), None),
        ("pyramid", "C3D5", (1, 2, 3, 4, 5), None),
        ("tetra", "C3D4", (1, 2, 4, 5), None),
    ],
)
def test_faces_of_solids(tmp_path, kind, name, nodes, sides):
    """Every face is a part of the boundary, and all of them are the boundary."""
    text = CUBE_NODES + f"*ELEMENT, TYPE={name}, ELSET=all\n1, {', '.join(map(str, nodes))}\n"
    for face in range(len(KINDS[kind].faces)):
        text += f"*SURFACE, NAME=face{face + 1}\nall, S{face + 1}\n"
    d = read(tmp_path, text)
    sizes = [measure(d, f"face{face + 1}") for face in range(len(KINDS[kind].faces))]
    assert sum(sizes) == pytest.approx(measure(d, "boundary"))
    assert np.allclose(d.normals_by_tag["face1"], [0.0, 0.0, -1.0])
    if sides is not None:
        expected = [[0, 0, -1], [0, 0, 1], [0, -1, 0], [1, 0, 0], [0, 1, 0], [-1, 0, 0]]
        assert all(np.allclose(d.normals_by_tag[f"face{row + 1}"], normal) for row, normal in enumerate(expected))


def test_a_surface_inside_has_the_side_of_its_element(tmp_path):
    text = CUBE_NODES + "".join(f"{row + 9}, {x}, {y}, {z + 2}\n" for row, (x, y, z) in enumerate(CUBE[:4]))
    text += "*ELEMENT, TYPE=C3D8\n1, 1,2,3,4,5,6,7,8\n2, 5,6,7,8,9,10,11,12\n"
    text += "*SURFACE, NAME=up\n1, S2\n*SURFACE, NAME=down\n2, S1\n"
    d = read(tmp_path, text)
    assert measure(d, "up") == measure(d, "down") == pytest.approx(1)
    assert np.allclose(d.normals_by_tag["up"], [0, 0, 1])
    assert np.allclose(d.normals_by_tag["down"], [0, 0, -1])


# -- parts and instances ----
PART = "*PART, NAME=P\n" + PLATE + "*NSET, NSET=left\n1, 4\n*SURFACE, NAME=floor\n11, S1\n*END PART\n"


def assembly(*instances, sets=""):
    body = "".join(f"*INSTANCE, NAME={name}, PART=p\n{rows}*END INSTANCE\n" for name, rows in instances)
    return PART + "*ASSEMBLY, NAME=A\n" + body + sets + "*END ASSEMBLY\n"


def test_one_instance_keeps_the_names_of_its_sets(tmp_path):
    sets = "*NSET, NSET=first, INSTANCE=I\nleft, 2\n*ELSET, ELSET=PLATE, INSTANCE=I\n12\n*NSET, NSET=dot\nI.left, i.3\n"
    sets += "*ELSET, ELSET=_Surf_S1, INTERNAL, INSTANCE=I\n11\n*SURFACE, NAME=Surf\n_Surf_S1, S1\n"
    sets += "*NODE\n1, 5., 5., 5.\n*NSET, NSET=reference\n1\n"
    d = read(tmp_path, assembly(("I", "3., 4., 0.\n"), sets=sets))
    assert d.points.min(axis=0).tolist() == [3.0, 4.0]
    tags = {"PLATE", "I.PLATE", "left", "floor", "first", "dot", "Surf"}
    assert set(d.available_mesh_tags) == {"interior", "boundary", *tags}
    assert measure(d, "PLATE") == pytest.approx(0.5)
    assert measure(d, "I.PLATE") == pytest.approx(1)
    assert measure(d, "Surf") == measure(d, "floor") == pytest.approx(1)
    assert len(d._mesh_pool["first"]) == 3
    assert sorted(d._mesh_pool["dot"].tolist()) == [[3, 4], [3, 5], [4, 5]]


def test_instances_are_translated_and_turned(tmp_path, capfd):
    """One in place; one moved by (2, 0) and turned by 90 degrees about the axis through (2, 0): [1, 2] x [0, 1]."""
    d = read(tmp_path, assembly(("A", ""), ("B", "2., 0.\n2., 0., 0., 2., 0., 1., 90.\n")))
    assert measure(d) == pytest.approx(2)
    assert d.points.max(axis=0) == pytest.approx([2, 1])
    assert measure(d, "B.PLATE") == pytest.approx(1)
    assert d._mesh_pool["B.left"][:, 1] == pytest.approx([0, 0], abs=1e-12)
    assert np.allclose(d.normals_by_tag["B.floor"], [1.0, 0.0])
    assert np.allclose(d.normals_by_tag["A.floor"], [0.0, -1.0])
    assert "2 of 8 boundary edges lie inside" in capfd.readouterr().out


def test_the_mesh_may_be_in_the_instance(tmp_path):
    text = "*PART, NAME=P\n*END PART\n*ASSEMBLY, NAME=A\n*INSTANCE, NAME=I, PART=P\n1., 0., 0.\n" + PLATE
    d = read(tmp_path, text + "*END INSTANCE\n*NSET, NSET=n, INSTANCE=I\n1\n*END ASSEMBLY\n")
    assert measure(d, "PLATE") == pytest.approx(1)
    assert d._mesh_pool["n"].tolist() == [[1.0, 0.0]]


def test_other_files_are_included(tmp_path):
    (tmp_path / "nodes.txt").write_text(NODES.replace("*NODE\n", "** nodes\n"))
    (tmp_path / "more.inp").write_text("*ELEMENT, TYPE=S3, ELSET=PLATE\n11, 1, 2, 3\n12, 1, 3, 4\n")
    d = read(tmp_path, "*NODE, INPUT=nodes.txt\n*INCLUDE, INPUT=more.inp\n*ELSET, ELSET=one\n11\n")
    assert (measure(d, "PLATE"), measure(d, "one")) == pytest.approx((1, 0.5))


# -- errors ----
@pytest.mark.parametrize(
    ("text", "message"),
    [
        (PLATE + "*NGEN\n1, 2, 1\n", r"line 9: \*NGEN makes nodes or elements, which is not read"),
        (PLATE.replace("*NODE", "*NODE, SYSTEM=C"), r"line 1: \*NODE with cylindrical or spherical coordinates"),
        (PLATE.replace("CPS3", "SPRINGA"), r"line 6: \*ELEMENT has the type 'SPRINGA', which is not read; known are"),
        (PLATE.replace("TYPE=CPS3, ", ""), r"line 6: \*ELEMENT needs the option TYPE="),
        (PLATE.replace("11, 1, 2, 3", "11, 1, 2"), r"line 6: \*ELEMENT is corrupt: .* 'CPS3' is a label and 3 nodes"),
        (PLATE.replace("11, 1, 2, 3", "11, 1, x, 3"), r"line 7 of \*ELEMENT, '11, 1, x, 3', must hold integers"),
        (PLATE.replace("11, 1, 2, 3", "11, 1, 2, 9"), r"line 6: \*ELEMENT is corrupt: it refers to the node 9"),
        (
            PLATE.replace("2, 1., 0.", "2, 1., o."),
            r"line 3 of \*NODE, '2, 1., o., 0.', must be a label and up to three",
        ),
        (PLATE + "*NODE\n4, 9., 9.\n", "gives the label 4 to two nodes at different points"),
        (PLATE.replace("12, 1", "11, 1"), "gives the label 11 to two elements"),
        (PLATE + "*ELSET, ELSET=E\nF\n", r"line 9: \*ELSET refers to 'F', which is no element and no set of elements"),
        (PLATE + "*ELSET, ELSET=E\nF\n*ELSET, ELSET=F\nE\n", "the set 'E' contains itself"),
        (PLATE + "*NSET, NSET=N, GENERATE\n1, 2, 0\n", r"line 10 of \*NSET, '1, 2, 0', must be the first label"),
        (
            PLATE + "*SURFACE, NAME=S\nPLATE, S4\n",
            r"line 10 of \*SURFACE, 'PLATE, S4', asks for the face S4 .*'triangle'",
        ),
        (PLATE + "*SURFACE, NAME=S\nPLATE, SPOS\n", r"line 10 of \*SURFACE, 'PLATE, SPOS', must name .* S1, S2"),
        (PLATE + "*SURFACE, NAME=S\nPLATE\n", r"line 10 of \*SURFACE, 'PLATE', must name an element .* faces S1, S2"),
        (PLATE + "*SURFACE, NAME=S, COMBINE=UNION\nA, B\n", r"line 9: \*SURFACE of the type 'ELEMENT' or with COMBINE"),
        (PLATE + "*INSTANCE, NAME=I, PART=Q\n", r"\*INSTANCE is of the part 'Q', which is not defined before it"),
        (PLATE + "*NSET, NSET=N, INSTANCE=I\n1\n", r"\*NSET names the instance 'I', which does not exist"),
        (assembly(("I", "1., 2., 3., 4.\n")), "must hold 3 numbers"),
        (assembly(("I", "0.\n1., 0., 0., 1., 0., 0., 90.\n")), "has a rotation without an axis"),
        (assembly(("I", ""), ("i", "")), "two instances of the name 'i'"),
        (PLATE + "*INCLUDE, INPUT=none.inp\n", "the included file '.*none.inp' cannot be read"),
        (PLATE + "*INCLUDE, INPUT=m.inp\n", "includes itself"),
        (PLATE + "*PARAMETER\na = 1\n", r"\*PARAMETER is not read; write the numbers out"),
        ("*HEADING\n", "is corrupt or not an .inp file: it has no nodes"),
        ("no keyword\n", "is corrupt or not an .inp file: it has no keywords"),
    ],
)
def test_what_is_not_read_is_refused_by_name(tmp_path, text, message):
    with pytest.raises(MeshFileError, match=rf"m.inp'.*{message}"):
        read(tmp_path, text)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        ("C3D4", ("tetra", 4)),
        ("c3d10mh", ("tetra", 10)),
        ("DC3D8", ("hexahedron", 8)),
        ("AC3D20", ("hexahedron", 20)),
        ("C3D15", ("wedge", 15)),
        ("SC8R", ("hexahedron", 8)),
        ("S4R5", ("quad", 4)),
        ("S8R5", ("quad", 8)),
        ("STRI65", ("triangle", 6)),
        ("CPEG4", ("quad", 4)),
        ("CAX4P", ("quad", 4)),
        ("CPE6", ("triangle", 6)),
        ("DC2D3", ("triangle", 3)),
        ("M3D4R", ("quad", 4)),
        ("T3D2", ("line", 2)),
        ("T2D3", ("line", 3)),
        ("B31", ("line", 2)),
        ("B22H", ("line", 3)),
        ("B33", ("line", 2)),
        ("CONN3D2", None),
        ("MASS", None),
        ("C3D7", None),
    ],
)
def test_types_of_elements(name, known):
    assert element_type(name) == known
