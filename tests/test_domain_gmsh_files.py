"""gmsh's own format: one square and one box in every version and form, and what legal and damaged files may hold."""

import sys

import gmsh
import numpy as np
import pytest
from meshes import gmsh_session

from jno.domain import domain
from jno.domain.mesh import MeshFileError

# version, binary, all elements saved, partitioned; gmsh writes 4.0 as text only
FORMS = [
    (version, binary, save_all, parts)
    for version, binary in ((2.2, 0), (2.2, 1), (4.0, 0), (4.1, 0), (4.1, 1))
    for save_all in (0, 1)
    for parts in (0, 3)
]
GROUPS = {
    "square": {"left half": 0.5, "all": 1.0, "bottom": 1.0, "low": 2.0, "middle": 1.0, "physical_99": 1.0, "pin": None},
    "box": {"left half": 0.5, "all": 1.0, "bottom": 1.0, "low": 2.0, "middle": 1.0, "physical_99": 1.0, "edge": None},
}


def measure(d, tag):
    return d.quadrature(tag).weights.sum()


def draw(dimension):
    """Two halves of the unit square or cube, with groups that overlap, one nameless, and one of lower dimension."""
    occ = gmsh.model.occ
    if dimension == 2:
        halves = [occ.addRectangle(x, 0, 0, 0.5, 1) for x in (0.0, 0.5)]
    else:
        halves = [occ.addBox(x, 0, 0, 0.5, 1, 1) for x in (0.0, 0.5)]
    occ.fragment([(dimension, halves[0])], [(dimension, halves[1])])
    occ.synchronize()
    centre = {tag: occ.getCenterOfMass(dimension - 1, tag) for _, tag in gmsh.model.getEntities(dimension - 1)}
    at = lambda axis, value: [tag for tag, middle in centre.items() if abs(middle[axis] - value) < 1e-9]  # noqa: E731
    cells = {occ.getCenterOfMass(dimension, tag)[0]: tag for _, tag in gmsh.model.getEntities(dimension)}
    gmsh.model.addPhysicalGroup(dimension, [cells[min(cells)]], name="left half")
    gmsh.model.addPhysicalGroup(dimension, list(cells.values()), name="all")
    gmsh.model.addPhysicalGroup(dimension - 1, at(1, 0.0), name="bottom")
    gmsh.model.addPhysicalGroup(dimension - 1, at(1, 0.0) + at(0, 0.0), name="low")
    gmsh.model.addPhysicalGroup(dimension - 1, at(0, 0.5), name="middle")
    gmsh.model.addPhysicalGroup(dimension - 1, at(1, 1.0), 99)
    gmsh.model.addPhysicalGroup(dimension - 2, [1], name="pin" if dimension == 2 else "edge")
    gmsh.option.setNumber("Mesh.MeshSizeMin", 0.3)
    gmsh.option.setNumber("Mesh.MeshSizeMax", 0.3)
    gmsh.model.mesh.generate(dimension)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("forms")
    for name, dimension in (("square", 2), ("box", 3)):
        with gmsh_session(readConfigFiles=False):
            draw(dimension)
            for parts in (0, 3):
                if parts:
                    gmsh.model.mesh.partition(parts)
                for version, binary, save_all, _ in {form for form in FORMS if form[3] == parts}:
                    gmsh.option.setNumber("Mesh.MshFileVersion", version)
                    gmsh.option.setNumber("Mesh.Binary", binary)
                    gmsh.option.setNumber("Mesh.SaveAll", save_all)
                    gmsh.write(str(folder / f"{name}-{version}-{binary}-{save_all}-{parts}.msh"))
    return folder


def places(points):
    """Points in an order of their own."""
    points = np.round(points, 9) + 0.0
    return points[np.lexsort(points.T)]


@pytest.mark.parametrize("name", ["square", "box"])
@pytest.mark.parametrize(("version", "binary", "save_all", "parts"), FORMS)
def test_every_form_holds_the_same_mesh(files, name, version, binary, save_all, parts):
    """The same tags with the same nodes and measures as the plain text of version 4.1."""
    reference = domain(files / f"{name}-4.1-0-0-0.msh")
    d = domain(files / f"{name}-{version}-{binary}-{save_all}-{parts}.msh")
    groups = GROUPS[name]
    if version == 2.2 and save_all:  # then gmsh writes no groups
        assert d.available_mesh_tags == ["interior", "boundary"]
    else:
        assert set(d.available_mesh_tags) == {"interior", "boundary", *groups}
        for tag, size in groups.items():
            assert np.allclose(places(d._mesh_pool[tag]), places(reference._mesh_pool[tag]), atol=1e-9)
            if size is not None:
                assert measure(d, tag) == pytest.approx(size)
    assert np.allclose(places(d.points), places(reference.points), atol=1e-9)
    assert len(d.mesh.cells) == len(reference.mesh.cells)
    assert measure(d, "interior") == pytest.approx(1.0)
    assert measure(d, "boundary") == pytest.approx(4.0 if name == "square" else 6.0)


def test_binary_files_without_gmsh_are_read_by_meshio(files, monkeypatch):
    monkeypatch.setitem(sys.modules, "gmsh", None)
    assert measure(domain(files / "square-4.1-1-0-0.msh"), "left half") == pytest.approx(0.5)
    with pytest.raises(ImportError, match=r"Reading .msh files of this kind needs gmsh: pip install 'jno-jax\[mesh\]'"):
        domain(files / "square-4.0-0-0-0.msh")


def test_models_of_the_user_stay(files):
    with gmsh_session(readConfigFiles=False):
        gmsh.model.add("mine")
        domain(files / "square-4.1-1-0-0.msh")
        assert gmsh.model.getCurrent() == "mine"
        assert gmsh.model.getEntities() == []


# -- legal text ----
def msh41(names="", entities="", parts="", nodes="", elements=""):
    sections = [("MeshFormat", "4.1 0 8"), ("PhysicalNames", names), ("Entities", entities)]
    sections += [("PartitionedEntities", parts), ("Nodes", nodes), ("Elements", elements)]
    return "".join(f"${name}\n{body}\n$End{name}\n" for name, body in sections if body)


NODES = "1 4 1 4\n2 1 0 4\n1\n2\n3\n4\n0 0 0\n1 0 0\n1 1 0\n0 1 0"
SQUARE = {
    "names": '2\n1 2 "bottom"\n2 1 "plate"',
    "entities": "0 1 1 0\n1 0 0 0 1 0 0 1 2 0\n1 0 0 0 1 1 0 1 1 1 1",
    "nodes": NODES,
    "elements": "2 3 1 3\n1 1 1 1\n1 1 2\n2 1 2 2\n2 1 2 3\n3 1 3 4",
}
SQUARE_2 = (
    '$MeshFormat\n2.2 0 8\n$EndMeshFormat\n$PhysicalNames\n2\n1 2 "bottom"\n2 1 "plate"\n$EndPhysicalNames\n'
    "$Nodes\n4\n1 0 0 0\n2 1 0 0\n3 1 1 0\n4 0 1 0\n$EndNodes\n"
    "$Elements\n3\n1 1 2 2 1 1 2\n2 2 2 1 1 1 2 3\n3 2 2 1 1 1 3 4\n$EndElements\n"
)


def read(tmp_path, text):
    (tmp_path / "m.msh").write_text(text)
    return domain(tmp_path / "m.msh")


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"nodes": NODES.replace("1 4 1 4", "2 4 1 4").replace("\n2 1 0 4", "\n1 1 0 0\n2 1 0 4")},
        {"nodes": NODES.replace("1 4 1 4", "3 4 1 4").replace("\n2 1 0 4", "\n0 1 0 0\n2 1 0 4") + "\n2 7 1 0"},
        {"nodes": NODES.replace("2 1 0 4", "2 1 1 4").replace(" 0 0\n", " 0 0 .5 .5\n").replace(" 1 0", " 1 0 .1 .2")},
        {"elements": SQUARE["elements"].replace("2 3 1 3", "3 3 1 3") + "\n2 9 2 0"},
        {"entities": SQUARE["entities"].replace("0 1 2 0", "0 1 -2 0")},
        {"nodes": NODES.replace("\n3\n", "\n30\n"), "elements": SQUARE["elements"].replace(" 3", " 30")},
    ],
    ids=["plain", "empty node block", "three of them", "parametric", "empty element block", "reversed", "sparse"],
)
def test_legal_files_of_version_4_1(tmp_path, changes):
    if "nodes" in changes and "30" in changes["nodes"]:
        changes["elements"] = "2 3 1 3\n1 1 1 1\n1 1 2\n2 1 2 2\n2 1 2 30\n3 1 30 4"
    d = read(tmp_path, msh41(**{**SQUARE, **changes}))
    assert measure(d, "plate") == pytest.approx(1.0)
    assert measure(d, "bottom") == pytest.approx(1.0)
    assert np.allclose(d.points, [[0, 0], [1, 0], [1, 1], [0, 1]])


def test_parts_have_groups_of_their_own(tmp_path):
    """Entities of a partitioned mesh: a ghost, a curve and a surface in two parts each, one of two partitions."""
    parts = (
        "2\n1\n9 1\n0 1 2 0\n5 1 1 1 1 0 0 0 1 0 0 1 2 0\n2 2 1 1 1 0 0 0 1 1 0 1 1 0\n3 2 1 2 1 2 0 0 0 1 1 0 1 1 0"
    )
    elements = "3 3 1 3\n1 5 1 1\n1 1 2\n2 2 2 1\n2 1 2 3\n2 3 2 1\n3 1 3 4"
    nodes = NODES.replace("2 1 0 4", "2 2 0 4")
    entities = "0 1 1 0\n1 0 0 0 1 0 0 1 2 0\n1 0 0 0 1 1 0 1 1 0"
    d = read(tmp_path, msh41(SQUARE["names"], entities, parts, nodes, elements))
    assert measure(d, "plate") == pytest.approx(1.0)
    assert measure(d, "bottom") == pytest.approx(1.0)


def test_parametric_nodes_of_version_2(tmp_path):
    text = SQUARE_2.replace("Nodes", "ParametricNodes").replace("1 0 0 0\n", "1 0 0 0 0 1\n")
    text = text.replace("2 1 0 0\n", "2 1 0 0 1 1 0.5\n").replace("3 1 1 0\n", "3 1 1 0 2 1 0.5 0.5\n")
    assert measure(read(tmp_path, text), "plate") == pytest.approx(1.0)


def test_partitions_of_version_2(tmp_path):
    """The tags after the first two are the number of partitions and these."""
    text = SQUARE_2.replace("3 2 2 1 1 1 3 4", "3 2 5 1 1 2 1 -2 1 3 4").replace("2 2 2 1 1", "2 2 4 1 1 1 2")
    assert measure(read(tmp_path, text), "plate") == pytest.approx(1.0)


@pytest.mark.parametrize("text", [msh41(**SQUARE), SQUARE_2], ids=["4.1", "2.2"])
def test_groups_without_elements_are_said(tmp_path, text, capfd):
    d = read(tmp_path, text.replace('2\n1 2 "bottom"', '3\n1 7 "hole"\n1 2 "bottom"'))
    assert "nothing belongs to the set(s) 'hole', which become no tags" in capfd.readouterr().out
    assert set(d.available_mesh_tags) == {"interior", "boundary", "plate", "bottom"}


@pytest.mark.parametrize("text", [msh41(**SQUARE), SQUARE_2], ids=["4.1", "2.2"])
def test_groups_with_an_empty_name_are_numbered(tmp_path, text):
    assert measure(read(tmp_path, text.replace('"bottom"', '""')), "physical_2") == pytest.approx(1.0)


# -- errors ----
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"bottom"', '"initial"', r"line 6 names a group .* 'initial' is reserved.* Rename the group"),
        ('1 2 "bottom"', "1 2 bottom", "line 6 must be a dimension, a number and a \"name\"; it is '1 2 bottom'"),
        ('2\n1 2 "b', '3\n1 2 "b', r"line 5, in \$PhysicalNames, \$PhysicalNames announces 3 names and holds 2"),
        ("0 1 1 0\n1 0 0 0 1 0 0 1 2 0", "0 1 1 0\n1 0 0 0 1 0 0 3 2", r"line 11, in \$Entities, is no entity"),
        ("1 4 1 4", "1 5 1 4", r"line 15, in \$Nodes, \$Nodes announces 5 nodes and holds 4"),
        ("1 4 1 4", "2 4 1 4", r"line 25, in \$Nodes, ends the section, which announces more than it holds"),
        ("2 1 0 4\n", "2 1 0 5\n", r"line 21, in \$Nodes, holds '0 0 0' where 1 integers belong|announces 5 lines"),
        ("2 1 0 4\n", "2 1 0 4000\n", r"\$Nodes announces 4000 lines after line 16 and holds 8"),
        ("\n1 0 0\n1 1 0", "\n1 0\n1 1 0", r"line 22, in \$Nodes, holds '1 0' where 3 numbers belong"),
        ("\n1 0 0\n1 1 0", "\n1 x 0\n1 1 0", r"line 22, in \$Nodes, holds '1 x 0' where 3 numbers belong"),
        ("1 1 1 1\n1 1 2", "1 1 1 1\n1 1", r"line 29, in \$Elements, gives 1 nodes to an element of kind 'line'"),
        ("3 1 3 4", "3 1 3", r"line 32, in \$Elements, gives 2 nodes to an element of kind 'triangle'"),
        ("3 1 3 4", "3 1 3 b", r"line 32, in \$Elements, holds '3 1 3 b', where integers belong"),
        ("3 1 3 4", "3 1 3 4\n4 1 3 4", r"line 33, in \$Elements, is one more than the 3 elements"),
        ("2 3 1 3", "2 4 1 3", r"line 27, in \$Elements, \$Elements announces 4 elements and holds 3"),
        ("3 1 3 4", "3 1 3 9", "'triangle' refers to a node that does not exist"),
        ("2 1 2 2\n", "2 1 34 2\n", r"has elements of kind \['gmsh type 34'\]; a domain can be made of lines"),
    ],
)
def test_errors_name_the_line_in_version_4_1(tmp_path, old, new, message):
    text = msh41(**SQUARE)
    assert old in text
    with pytest.raises(MeshFileError, match=rf"m.msh'.*({message})"):
        read(tmp_path, text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("$Nodes\n4", "$Nodes\n5", r"\$Nodes announces 5 lines after line 10 and holds 4"),
        ("$Nodes\n4", "$Nodes\n3", r"line 14, in \$Nodes, is one more than the 3 nodes"),
        ("3 1 1 0", "3.5 1 1 0", r"line 13, in \$Nodes, does not start with the number of a node"),
        ("$Nodes\n4", "$Nodes\n-4", r"line 10, in \$Nodes, announces -4 lines"),
        ("3 1 1 0", "3 1 1", r"line 13, in \$Nodes, holds '3 1 1' where 4 numbers belong"),
        ("3 2 2 1 1 1 3 4", "3 2 2 1 1 1 3", r"line 20, in \$Elements, gives 2 nodes to an element of kind 'triangle'"),
        ("3 2 2 1 1 1 3 4", "3 2", r"line 20, in \$Elements, lacks the kind of the element or the number of its tags"),
        ("3 2 2 1 1 1 3 4", "3 2 9 1 1 1 3 4", r"line 20, in \$Elements, holds fewer numbers than it announces"),
        ("3 2 2 1 1 1 3 4", "3 2 2 1 1 x 3 4", r"line 20, in \$Elements, holds '3 2 2 1 1 x 3 4', where integers"),
        ("$Elements\n3", "$Elements\n2", r"line 20, in \$Elements, is one more than the 2 elements"),
        ("$Elements\n3", "$Elements\n4", r"\$Elements announces 4 lines after line 17 and holds 3"),
    ],
)
def test_errors_name_the_line_in_version_2(tmp_path, old, new, message):
    with pytest.raises(MeshFileError, match=rf"m.msh' is corrupt: {message}"):
        read(tmp_path, SQUARE_2.replace(old, new, 1))
