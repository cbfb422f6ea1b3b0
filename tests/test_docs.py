"""The programs on the pages of the documentation run."""

import re
from pathlib import Path

import pytest

PAGES = Path(__file__).parent.parent / "docs"


@pytest.mark.parametrize("page", ["derivatives.md"])
def test_programs_run(page, capsys):
    text = (PAGES / page).read_text(encoding="utf-8")
    namespace = {}
    for program in re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL):
        exec(compile(program, page, "exec"), namespace)
    printed = capsys.readouterr().out
    shown = re.search(r"```\n(pass over.*?)…", text, flags=re.DOTALL)
    assert printed.startswith(shown[1].rstrip())
