"""gmsh: importing it, a private model, and the mesh of a model.

C. Geuzaine and J.-F. Remacle, "Gmsh: a three-dimensional finite element mesh generator with built-in pre- and
post-processing facilities", Int. J. Numer. Methods Eng. 79 (2009).
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np

from jno.utils import is_integer

from ._elements import gmsh_kind
from ._raw_mesh import Block, MeshFileError, RawMesh, positions

# Meshing the same geometry twice must give the same mesh: one thread, and gmsh's fixed random seed.
_OPTIONS = {"General.Terminal": 0.0, "General.NumThreads": 1.0, "Mesh.ElementOrder": 1.0, "Mesh.RecombineAll": 0.0}
PLANE_ALGORITHMS = (1, 2, 3, 5, 6, 7, 8, 9, 11)

Entity: TypeAlias = tuple[int, int]
Gmsh: TypeAlias = Any
"""The module gmsh, or a part of it: it has no types to check."""
Names = Mapping[Entity, tuple[str, ...]]


def import_gmsh(purpose: str) -> Any:
    """The library, or an error that says what to install."""
    try:
        import gmsh
    except ImportError as error:
        raise ImportError(f"{purpose} needs gmsh: pip install 'jno-jax[mesh]'.") from error
    except OSError as error:
        raise ImportError(
            f"{purpose} needs gmsh, which is installed but cannot be loaded: {error}. Install the system libraries "
            "that it uses, on Debian or Ubuntu: apt-get install libglu1-mesa libxft2 libxcursor1 libxinerama1."
        ) from error
    return gmsh


@contextmanager
def gmsh_model(purpose: str) -> Iterator[Any]:
    """The module `gmsh` with a new, empty current model that is removed afterwards.

    A session that the user has opened keeps its models and options.
    """
    gmsh = import_gmsh(purpose)
    opened = not gmsh.isInitialized()
    if opened:
        # without its signal handler gmsh also works outside the main thread
        gmsh.initialize(readConfigFiles=False, interruptible=False)
    before = None if opened else gmsh.model.getCurrent()
    saved = {name: gmsh.option.getNumber(name) for name in _OPTIONS}
    try:
        for name, value in _OPTIONS.items():
            gmsh.option.setNumber(name, value)
        gmsh.model.add(f"jno-{uuid.uuid4().hex}")
        yield gmsh
    finally:
        if gmsh.isInitialized():
            _close(gmsh, opened, before, saved)


def _close(gmsh: Gmsh, opened: bool, before: str | None, saved: Mapping[str, float]) -> None:
    if opened:
        gmsh.finalize()
        return
    gmsh.model.remove()
    for name, value in saved.items():
        gmsh.option.setNumber(name, value)
    if before is not None:
        gmsh.model.setCurrent(before)


def check_algorithm(algorithm: object) -> None:
    """Refuse what is no number of a meshing algorithm.

    Raises:
        ValueError: naming those that exist.
    """
    if not is_integer(algorithm) or algorithm not in PLANE_ALGORITHMS:
        raise ValueError(f"algorithm must be one of gmsh's 2-D algorithms {PLANE_ALGORITHMS}; got {algorithm!r}.")


def generate(gmsh: Gmsh, dimension: int, mesh_size: float | None, algorithm: int, origin: str) -> None:
    """Mesh the current model; `mesh_size` bounds the size of the elements."""
    check_algorithm(algorithm)  # gmsh itself takes any number
    saved = {name: gmsh.option.getNumber(name) for name in ("Mesh.MeshSizeMax", "Mesh.Algorithm")}
    try:
        if mesh_size is not None:
            gmsh.option.setNumber("Mesh.MeshSizeMax", mesh_size)
        gmsh.option.setNumber("Mesh.Algorithm", algorithm)
        gmsh.model.mesh.generate(dimension)
    except Exception as error:  # gmsh raises nothing more special
        raise MeshFileError(f"{origin} cannot be meshed: gmsh says {error}.") from error
    finally:
        for name, value in saved.items():
            gmsh.option.setNumber(name, value)


def read_model(gmsh: Gmsh, dimension: int, names: Names, origin: str) -> RawMesh:
    """The mesh of the current model; `names` maps entities to the sets that their elements belong to."""
    numbers, coordinates, _ = gmsh.model.mesh.getNodes()
    tags = numbers.astype(np.int64)
    if not len(tags):
        raise MeshFileError(f"{origin} gave a mesh without nodes.")
    blocks: list[Block] = []
    sets: dict[str, list[Block]] = {}
    for entity in gmsh.model.getEntities():
        if entity[0] > dimension:
            continue
        for kind, nodes in _elements(gmsh, entity):
            block = (kind, positions(tags, nodes))
            if entity[0] == dimension:
                blocks.append(block)
            for name in names.get(entity, ()):
                sets.setdefault(name, []).append(block)
    points = np.asarray(coordinates).reshape(-1, 3)
    return RawMesh(points, tuple(blocks), {name: tuple(sets[name]) for name in _in_order(names) if name in sets})


def _elements(gmsh: Gmsh, entity: Entity) -> Iterator[Block]:
    kinds, _, nodes = gmsh.model.mesh.getElements(*entity)
    for number, flat in zip(kinds, nodes, strict=True):
        width = gmsh.model.mesh.getElementProperties(int(number))[3]
        yield gmsh_kind(int(number)), np.asarray(flat).astype(np.int64).reshape(-1, width)


def _in_order(names: Names) -> list[str]:
    return list(dict.fromkeys(name for owned in names.values() for name in owned))


def physical_names(gmsh: Gmsh) -> dict[Entity, tuple[str, ...]]:
    """Names of the physical groups of every entity."""
    names: dict[Entity, tuple[str, ...]] = {}
    for dimension, number in gmsh.model.getPhysicalGroups():
        name = gmsh.model.getPhysicalName(dimension, number).rstrip() or f"physical_{number}"
        for tag in gmsh.model.getEntitiesForPhysicalGroup(dimension, number):
            entity = (dimension, int(tag))
            names[entity] = (*names.get(entity, ()), name)
    return names


def numbered_names(gmsh: Gmsh, dimension: int) -> dict[Entity, tuple[str, ...]]:
    """`face_1`, `face_2`, … in space and `edge_1`, … in the plane; the volumes too when there are several."""
    kinds: dict[int, Callable[[int], str]] = {
        1: lambda tag: f"edge_{tag}",
        2: lambda tag: f"face_{tag}",
        3: lambda tag: f"volume_{tag}",
    }
    cells = gmsh.model.getEntities(dimension)
    facets = gmsh.model.getEntities(dimension - 1) if dimension > 1 else []
    entities = [*(cells if len(cells) > 1 else []), *facets]
    return {(d, tag): (kinds[d](tag),) for d, tag in entities}
