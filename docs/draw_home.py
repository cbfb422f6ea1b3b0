"""Draw the picture of the home page, `docs/assets/home.png`, by running the page's program: python docs/draw_home.py"""

import contextlib
import re
import tempfile
from pathlib import Path

from PIL import Image

DOCS = Path(__file__).resolve().parent
PICTURE = DOCS / "assets" / "home.png"


def program():
    """The first program of the page."""
    return re.search(r"```python\n(.*?)```", (DOCS / "index.md").read_text(encoding="utf-8"), re.DOTALL)[1]


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        exec(compile(program(), "index.md", "exec"), {})
        with Image.open("poisson.png") as picture:
            small = picture.convert("RGB").resize((1100, round(1100 * picture.height / picture.width)))
            small.save(PICTURE, optimize=True)
