"""Mesh files that claim more than they hold: refused before memory is asked for, and in bounded time."""

import base64
import lzma
import struct
import zlib

import h5py
import numpy as np
import pytest

import jno


def refused(path, message):
    with pytest.raises(ValueError, match=f"{path.name}'.*{message}"):
        jno.domain(str(path))


VTK = "# vtk DataFile Version 3.0\ntitle\nASCII\nDATASET {dataset}\n{rest}\n"
POINTS = "POINTS 3 float\n0 0 0 1 0 0 0 1 0\n"


@pytest.mark.parametrize(
    ("dataset", "rest", "message"),
    [
        (
            "STRUCTURED_POINTS",
            "DIMENSIONS 100000 100000 100000\nORIGIN 0 0 0\nSPACING 1 1 1",
            "claims 96,000,000,000,000,000 bytes of memory; the limit for it is 268,435,456",
        ),
        ("STRUCTURED_POINTS", "DIMENSIONS 1000000000000000000 1 0\nSPACING 1 1 1", "are not three numbers above zero"),
        ("UNSTRUCTURED_GRID", POINTS + "CELLS 1000000000000000 4\n3 0 1 2\n", "1000000000000000 cells announced, in 4"),
        ("UNSTRUCTURED_GRID", "POINTS 1000000000000000 float\n0 0 0\n", "3000000000000000 numbers announced"),
        ("POLYDATA", POINTS + "POLYGONS 1000000000000000 4\n3 0 1 2\n", "1000000000000000 cells announced, in 4"),
        (
            "POLYDATA",
            POINTS + "POLYGONS 1 4\n3 0 1 2\nFIELD f 1\nnames 1 1000000000000000 string\na\n",
            "ends inside an array of strings",
        ),
    ],
)
def test_vtk(tmp_path, dataset, rest, message):
    path = tmp_path / "a.vtk"
    path.write_text(VTK.format(dataset=dataset, rest=rest))
    refused(path, message)


VTU = """<VTKFile type="UnstructuredGrid" version="1.0" header_type="UInt64" compressor="{compressor}">
<UnstructuredGrid><Piece NumberOfPoints="{points}" NumberOfCells="0"><Points>
<DataArray type="Float64" NumberOfComponents="3" format="binary">{data}</DataArray>
</Points></Piece></UnstructuredGrid></VTKFile>"""


def compressed(blocks, size):
    """Return blocks as VTK writes them, announced as `size` bytes each."""
    header = struct.pack(f"<{3 + len(blocks)}Q", len(blocks), size, 0, *map(len, blocks))
    return (base64.b64encode(header) + base64.b64encode(b"".join(blocks))).decode()


@pytest.mark.parametrize(
    ("compressor", "compress"), [("vtkZLibDataCompressor", zlib.compress), ("vtkLZMADataCompressor", lzma.compress)]
)
def test_vtu(tmp_path, compressor, compress):
    path = tmp_path / "a.vtu"
    block = compress(bytes(24_000_000))

    def write(blocks, size):
        path.write_text(VTU.format(compressor=compressor, points=1, data=compressed(blocks, size)))

    write([block] * 12, 24_000_000)
    refused(path, "claims 288,000,000 bytes of memory; the limit for it is 268,435,456")
    write([block], 24)  # more than it announces: what is beyond is never unpacked
    refused(path, "a block of 24 bytes announced, more compressed")
    write([block[:-20]], 24_000_000)
    refused(path, "a block of 24000000 bytes announced|corrupt")
    write([compress(np.zeros(3).tobytes())], 10**15)
    refused(path, "claims 1,000,000,000,000,000 bytes")


def test_entities_of_xml(tmp_path):
    """Entities that repeat each other are refused by the parser of Python."""
    entities = "".join(f'<!ENTITY a{i} "{f"&a{i - 1};" * 10}">' for i in range(1, 10))
    path = tmp_path / "a.vtu"
    path.write_text(f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a0 "aaaaaaaaaa">{entities}]><VTKFile>&a9;</VTKFile>')
    refused(path, "limit on input amplification factor")


@pytest.mark.parametrize("suffix", [".med", ".h5m", ".cgns", ".xdmf"])
def test_hdf5(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    data = path if suffix != ".xdmf" else tmp_path / "a.h5"
    with h5py.File(data, "w") as file:  # nothing is stored: a filling value stands for every number
        file.create_dataset("group/data0", (10**9, 100), dtype="f8", chunks=(100, 100), compression="gzip")
    if suffix == ".xdmf":
        item = '<DataItem DataType="Float" Dimensions="1000000000 100" Format="HDF">a.h5:/group/data0</DataItem>'
        path.write_text(
            f'<Xdmf Version="3.0"><Domain><Grid><Geometry GeometryType="XYZ">{item}</Geometry></Grid></Domain></Xdmf>'
        )
    refused(path, "claims 800,000,000,000 bytes of memory; the limit for it is 268,435,456")
    with pytest.raises(ValueError, match="claims 800,000,000,000 bytes"):
        jno.domain.line(mesh_size=0.5).interpolate(str(path))


# --- Abaqus -----------------------------------------------------------------------------------------------------
PART = "*PART, NAME=p\n*NODE\n1, 0, 0\n2, 1, 0\n3, 0, 1\n*ELEMENT, TYPE=CPS3, ELSET=e\n1, 1, 2, 3\n*END PART\n"


def inp(path, *lines):
    path.write_text("*HEADING\n" + "\n".join(lines) + "\n")
    return path


def test_ranges(tmp_path):
    path = inp(tmp_path / "a.inp", "*NODE", "1, 0, 0", "*NSET, NSET=n, GENERATE", "1, 1000000000000, 1")
    refused(path, "claims 8,000,000,000,000 bytes of memory; the limit")
    sets = [f"*NSET, NSET=n{i}, GENERATE\n1, 10000000, 1" for i in range(4)]
    refused(inp(tmp_path / "b.inp", "*NODE", "1, 0, 0", *sets), "claims 320,000,000 bytes")
    refused(inp(tmp_path / "c.inp", "*NODE", f"{10**30}, 0, 0"), "has a label that is no 64-bit integer")


def test_files_that_include_each_other(tmp_path, monkeypatch):
    monkeypatch.setenv("JNO_LIMIT_UNPACKED_BYTES", "10000")
    monkeypatch.setenv("JNO_LIMIT_EXPANSION", "10")
    for number in range(15):
        inp(tmp_path / f"{number}.inp", *[f"*INCLUDE, INPUT={number + 1}.inp"] * 2)
    inp(tmp_path / "15.inp", "*NODE", "1, 0, 0")
    refused(tmp_path / "0.inp", "with what it includes, has 53 bytes and claims 10,0.. bytes of memory; the limit")


def test_instances_that_repeat_a_part(tmp_path, monkeypatch):
    monkeypatch.setenv("JNO_LIMIT_UNPACKED_BYTES", "10000")
    monkeypatch.setenv("JNO_LIMIT_EXPANSION", "1")
    instances = [f"*INSTANCE, NAME=i{number}, PART=p\n*END INSTANCE" for number in range(200)]
    refused(inp(tmp_path / "a.inp", PART, "*ASSEMBLY, NAME=a", *instances, "*END ASSEMBLY"), "claims 10,0.. bytes")


def test_sets_that_name_each_other(tmp_path):
    """Every set is gathered once; without that this test would not end."""
    sets = [f"*NSET, NSET=n{i}\nn{i - 1}, n{i - 1}" for i in range(1, 60)]
    path = inp(
        tmp_path / "a.inp",
        PART.splitlines()[0],
        *PART.splitlines()[1:-1],
        "*NSET, NSET=n0\n1",
        *sets,
        "*END PART",
        "*ASSEMBLY, NAME=a",
        "*INSTANCE, NAME=i, PART=p",
        "*END INSTANCE",
        "*END ASSEMBLY",
    )
    assert "n59" in jno.domain(str(path)).available_mesh_tags
    deep = [f"*NSET, NSET=n{i}\nn{i - 1}" for i in range(5000, 0, -1)]
    refused(inp(tmp_path / "b.inp", "*NODE", "1, 0, 0", *deep, "*NSET, NSET=n0\n1"), "nested too deep")
