"""The public names of jNO, which of them are one object, and where the reference documents it."""

import ast
import functools
import inspect
import re
import sys
import types
from pathlib import Path

import jno
import jno.export
import jno.trace
import jno.utils.ad_mode
import jno.utils.statistics
import jno.weak

PAGES = Path(__file__).resolve().parent / "api"
FURTHER = (
    "jno.domain.csg",
    "jno.export.ExportedFile",
    "jno.trace.Noise",
    "jno.utils.ad_mode",
    "jno.utils.callbacks",
    "jno.utils.statistics.statistics",
    "jno.weak",
)
"""Names and modules that `jno.__all__` does not lead to."""


def member(path):
    """What a dotted name stands for: `jno.core` is the class, `jno.core.core` too, for the reference calls it so."""
    try:
        return functools.reduce(getattr, path.split(".")[1:], jno)
    except AttributeError:
        module, _, name = path.rpartition(".")
        return getattr(sys.modules[module], name)


def exported(module):
    """Names of a module: its ``__all__``, else what it defines and what it imports under a name, `import x as y`."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    names = []
    for statement in ast.parse(Path(inspect.getfile(module)).read_text(encoding="utf-8")).body:
        match statement:
            case ast.ImportFrom(names=imported):
                names += [entry.asname for entry in imported if entry.asname]
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
                names.append(name)
            case ast.Assign(targets=[ast.Name(id=name)]) if not name.isupper():
                names.append(name)
    return [name for name in names if not name.startswith("_")]


def _below(path, object):
    if isinstance(object, types.ModuleType) and path != "jno.numpy":
        for name in exported(object):
            yield from _below(f"{path}.{name}", getattr(object, name))
    elif not isinstance(object, types.ModuleType):
        yield path, object


@functools.cache
def public():
    """Every public name that is not a module, and its object."""
    return {name: object for path in ("jno", *FURTHER) for name, object in _below(path, member(path))}


@functools.cache
def documented():
    """The name under which the reference documents an object, and its page."""
    return {
        path: page.name
        for page in sorted(PAGES.glob("*.md"))
        for path in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    }


@functools.cache
def names_of_documented():
    """The other public names of every object that the reference documents."""
    return {
        path: [name for name, object in public().items() if object is member(path) and name != path]
        for path in documented()
    }
