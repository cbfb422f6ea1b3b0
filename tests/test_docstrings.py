"""Every `>>>` example in the docstrings of jno runs."""

import doctest
import importlib
import inspect
from pathlib import Path

import pytest

import jno
from jno.utils import SharedDocumentation

ROOT = Path(jno.__file__).parent
MODULES = sorted(
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in ROOT.rglob("*.py")
    if path.name != "__main__.py" and ">>> " in path.read_text(encoding="utf-8")
)
OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Finder(doctest.DocTestFinder):
    """See through the run-time checks of annotations, and know classes that name their package as their module."""

    def _from_module(self, module, object):
        plain = inspect.unwrap(object) if callable(object) else object
        if inspect.isclass(plain) and plain.__module__ == module.__name__.rpartition(".")[0]:
            code = [inspect.unwrap(entry).__code__ for entry in vars(plain).values() if inspect.isfunction(entry)]
            return any(entry.co_filename == module.__file__ for entry in code)
        return super()._from_module(module, plain)


@pytest.mark.parametrize("name", MODULES)
def test_examples(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    module = importlib.import_module(name)
    # globs={}: an example imports what it uses, as a reader would have to
    tests = Finder(exclude_empty=True).find(module, name, globs={})
    report: list[str] = []
    runner = doctest.DocTestRunner(optionflags=OPTIONS)
    for test in tests:
        runner.run(test, out=report.append, clear_globs=True)
    assert runner.summarize(verbose=False).attempted > 0, f"{name}: no example was found"
    assert not runner.failures, "".join(report)


SHARED = SharedDocumentation(
    {"x": "coordinate.", "points": "more coordinates.", "scale": "factor."},
    returns="Number.",
    raises={"ValueError": "it is negative."},
)


def stretched(x, *points, scale=1.0, **options):
    """Longer.

    Twice as long, in fact.

    Args:
        scale: factor of this function,
            over two lines.
        **options: none.

    Example:
        >>> 1
        1

    Source: ours.
    """


def test_shared_sections_complete_a_docstring():
    assert SHARED(stretched).__doc__ == (
        "Longer.\n\nTwice as long, in fact.\n\nArgs:\n    x: coordinate.\n    *points: more coordinates.\n"
        "    scale: factor of this function,\n        over two lines.\n    **options: none.\n\n"
        "Returns:\n    Number.\n\nRaises:\n    ValueError: it is negative.\n\n"
        "Example:\n    >>> 1\n    1\n\nSource: ours."
    )


def test_sections_of_a_docstring_come_before_shared_ones():
    def half(x):
        """Half.

        Returns:
            Half of it.

        Raises:
            TypeError: it is text.
        """

    described = "Half.\n\nArgs:\n    x: number.\n\nReturns:\n    Half of it.\n\nRaises:\n    TypeError: it is text."
    assert SHARED.extended({"x": "number."})(half).__doc__ == described


def test_an_argument_that_nothing_describes_is_refused():
    def half(y):
        """Half."""

    with pytest.raises(ValueError, match=r"argument y of .*half is not described: .*which has x, points, scale"):
        SHARED(half)


@pytest.mark.parametrize("function", [jno.fn.mape, jno.fn.heat, jno.fn.burgers_1d, jno.np.curl_3d, jno.np.sym])
def test_help_has_all_sections_of_functions_that_share_them(function):
    text = inspect.getdoc(function)
    described = [line.strip(" *").partition(":")[0] for line in text.partition("Args:")[2].splitlines()]
    assert [name for name in inspect.signature(function).parameters if name not in described] == []
    assert text.index("Args:\n") < text.index("Returns:\n") < text.index("Example:\n")
