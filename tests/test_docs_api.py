"""The reference names every public name once, and its examples are code."""

import ast
import re
import runpy
from collections import Counter
from pathlib import Path

import pytest

import jno

ROOT = Path(__file__).parent.parent
NAMES = runpy.run_path(str(ROOT / "docs" / "public_names.py"))
JAX_NUMPY = re.compile(r"^\| \w+ \| (`jno\.np\..*) \|$", flags=re.MULTILINE)


def names_of_jax():
    """Names that stand in the table of names of `jax.numpy`."""
    page = (NAMES["PAGES"] / "expressions.md").read_text(encoding="utf-8")
    return re.findall(r"`([^`]+)`", "".join(JAX_NUMPY.findall(page)))


def directives():
    return [
        path
        for page in NAMES["PAGES"].glob("*.md")
        for path in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    ]


def test_no_object_is_documented_twice():
    documented = Counter(id(NAMES["member"](path)) for path in directives())
    assert [path for path in directives() if documented[id(NAMES["member"](path))] > 1] == []
    assert len(names_of_jax()) == len(set(names_of_jax()))


def test_every_public_name_is_documented():
    documented = [NAMES["member"](path) for path in directives()]
    missing = [
        name
        for name, member in NAMES["public"]().items()
        if not any(member is other for other in documented) and name not in names_of_jax()
    ]
    assert missing == []
    assert len(NAMES["public"]()) > 300


def test_the_table_of_names_of_jax_has_no_other_names():
    assert [name for name in names_of_jax() if name not in NAMES["public"]()] == []


def test_every_page_of_the_reference_is_in_its_table():
    index = (NAMES["PAGES"] / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in NAMES["PAGES"].glob("*.md")} - {"index.md"}
    assert set(re.findall(r"^\| \[[^]]+\]\(([\w-]+\.md)\)", index, flags=re.MULTILINE)) == pages


def docstrings():
    for path in sorted(Path(jno.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and (text := ast.get_docstring(node)):
                yield f"{path.name}: {getattr(node, 'name', 'module')}", text


def test_examples_stand_under_their_heading():
    # without it Markdown reads `>>>` as three block quotes
    bare = [place for place, text in docstrings() if re.search(r"^>>> ", text, flags=re.MULTILINE)]
    assert bare == []


def test_no_docstring_has_a_role_of_another_tool():
    # formulas are the only ones that the site shows (docs/show_math.py)
    assert [place for place, text in docstrings() if re.search(r":(?!math)\w+:`", text)] == []


@pytest.mark.parametrize("name", sorted(name for name in directives() if name.count(".") < 4))
def test_documented_objects_say_what_they_are(name):
    assert NAMES["member"](name).__doc__


WITHOUT_EXAMPLE = {"jno.tuner.SweepResult", "jno.tuner.sweep"}
"""What `core.sweep` calls; its docstring has the example."""


def test_public_classes_and_functions_have_an_example():
    # constants and tables have docstrings of their type
    bare = {
        name
        for name, member in NAMES["public"]().items()
        if callable(member) and not re.search(r"^ *>>> ", member.__doc__ or "", flags=re.MULTILINE)
    }
    assert bare - set(names_of_jax()) == WITHOUT_EXAMPLE
