"""MkDocs hook: the gallery, from the files of `examples/` and what `docs/draw_gallery.py` recorded of them.

Every example gets a page with its picture and source, the script itself and a notebook to download; the page `gallery/`
shows them all. Nothing is run here.
"""

import ast
import json
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "assets" / "gallery"
RECORDS = PICTURES / "records.json"
"""Of every example: seconds of processor time (null: not measured) and the last line that it printed."""

SECTIONS = {
    "Ordinary differential equations": ["lotka_volterra", "stiff", "oscillators", "lorenz_inverse"],
    "Poisson, Helmholtz, biharmonic": [
        "poisson",
        "poisson_engd",
        "helmholtz",
        "clamped_plate",
        "torsion",
        "ten_dimensions",
        "front",
        "ground_state",
    ],
    "Heat and transport": ["heat_robin", "composite_wall", "conductivity_table", "periodic_transport", "radiation"],
    "Waves and fronts": ["drum", "burgers", "burgers_ssbroyden", "kdv", "schroedinger", "allen_cahn"],
    "Integrals": ["love", "memory"],
    "Weak forms and finite elements": [
        "three_ways",
        "vpinn_poisson",
        "soap_film",
        "cavity",
        "fem_cylinder_flow",
        "cantilever",
        "fem_elasticity",
        "hanging_bar",
    ],
    "Unknowns from readings": ["inverse", "source_position", "hidden_pressure", "fem_inverse"],
    "Uncertainty": ["bayesian_decay", "variational_line", "bpinn_poisson"],
    "Operators": ["heat_operator", "deeponet", "darcy_fno", "fem_operator", "lora_ellipse"],
    "Files, machines, search": ["mesh_file", "export", "resume", "devices", "sweep"],
}


@dataclass(frozen=True)
class Example:
    """One file of `examples/` or `examples/gallery/`."""

    path: Path

    @property
    def name(self) -> str:
        """What pages, pictures and records are called."""
        return self.path.stem

    @property
    def source(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @property
    def docstring(self) -> str:
        """Title, equation (indented) and text."""
        return ast.get_docstring(ast.parse(self.source)) or ""

    @property
    def title(self) -> str:
        """The first line, without its full stop."""
        return self.docstring.splitlines()[0].rstrip(".")

    @property
    def text(self) -> str:
        """All but the first line."""
        return self.docstring.split("\n", 1)[1].strip("\n") if "\n" in self.docstring else ""

    @property
    def cells(self) -> str:
        """The code without the docstring, in cells, as a program for a notebook."""
        code = re.sub(r'\A""".*?"""\n', "", self.source, flags=re.DOTALL)
        code = re.sub(r'\nif __name__ == "__main__":\n.*', "\n# %%\nmain()\n", code, flags=re.DOTALL)
        shown_by_itself = "plt.subplots" in code or not re.search(r"\nfigure\.savefig\([^\n]*\)\s*\Z", code)
        return code.rstrip("\n") + ("\n" if shown_by_itself else "\nfigure\n")

    @property
    def picture(self) -> Path | None:
        """What it draws, in the folder of the site's pictures."""
        candidates = (PICTURES / f"{self.name}.webp", PICTURES.parent / f"{self.name}.png")
        return next((path for path in candidates if path.is_file()), None)

    def notebook(self) -> str:
        """The example as a notebook (.ipynb), with its text above the code."""
        import jupytext
        import nbformat

        notebook = jupytext.reads(self.cells, fmt="py:percent")
        notebook.cells.insert(0, nbformat.v4.new_markdown_cell(f"# {self.title}\n\n{self.text}"))
        for number, cell in enumerate(notebook.cells):
            cell["id"] = f"{self.name}-{number}"[:64]  # the same file in every build
        kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
        notebook.metadata = nbformat.NotebookNode(kernelspec=kernel)
        return jupytext.writes(notebook, fmt="ipynb")

    def page(self, records: dict[str, dict[str, object]]) -> str:
        """The page of the example."""
        lines = [f"# {self.title}", "", self.text, ""]
        if self.picture is not None:
            lines += [f"![What {self.name} draws](../{self.picture.relative_to(ROOT / 'docs').as_posix()})", ""]
        if self.name in records:
            lines += ["It prints:", "", "```text", str(records[self.name]["printed"]), "```", ""]
        links = [f"[script]({self.name}.py)"]
        if not self.reads_shipped_data:
            links.append(f"[notebook]({self.name}.ipynb)")
        lines += [f"Download: {', '.join(links)}. [All examples](index.md)", "", "```python"]
        return "\n".join([*lines, self.source.rstrip("\n"), "```", ""])

    @property
    def reads_shipped_data(self) -> bool:
        """Whether it opens a file beside itself, which a notebook does not have."""
        return "__file__" in self.source


def examples() -> dict[str, Example]:
    """All examples by name."""
    files = [*(ROOT / "examples").glob("*.py"), *(ROOT / "examples" / "gallery").glob("*.py")]
    return {path.stem: Example(path) for path in sorted(files)}


def records() -> dict[str, dict[str, object]]:
    """What was recorded when the pictures were drawn."""
    return json.loads(RECORDS.read_text(encoding="utf-8"))


def index() -> str:
    """The page with all pictures, and the table of what was computed."""
    by_name, recorded = examples(), records()
    lines = ["# Gallery", "", INTRODUCTION.format(count=sum(map(len, SECTIONS.values()))), ""]
    for section, names in SECTIONS.items():
        lines += [f"## {section}", "", '<div class="gallery" markdown>', ""]
        lines += [_card(by_name[name]) for name in names]
        lines += ["", "</div>", ""]
    lines += ["## What they print", "", "| example | seconds | prints |", "| --- | --- | --- |"]
    for name in (name for names in SECTIONS.values() for name in names):
        if name in recorded:
            printed = str(recorded[name]["printed"]).replace("|", "\\|")
            seconds = recorded[name]["seconds"] or "not measured"
            lines.append(f"| [{name}]({name}.md) | {seconds} | {printed} |")
    return "\n".join([*lines, ""])


INTRODUCTION = """{count} problems, each one file that runs alone, checks a number against an exact, published or
independently computed value, and draws a picture. Every page has the source, and a notebook unless the example reads a
file beside itself. The seconds in the table at the end are about those of one processor core on a busy machine, start
(about five) and compilation included; `python docs/draw_gallery.py` measures them anew."""


def _card(example: Example) -> str:
    picture = example.picture
    image = "" if picture is None else f"![](../{picture.relative_to(ROOT / 'docs').as_posix()}){{ loading=lazy }}"
    return f"- [{image}<span>{example.title}</span>]({example.name}.md)"


def on_files(files, config):
    """Add the pages, scripts and notebooks to the site."""
    from mkdocs.structure.files import File

    recorded = records()
    contents = {"gallery/index.md": index()}
    for name, example in examples().items():
        contents[f"gallery/{name}.md"] = example.page(recorded)
        contents[f"gallery/{name}.py"] = example.source
        if not example.reads_shipped_data:
            contents[f"gallery/{name}.ipynb"] = example.notebook()
    for uri, content in contents.items():
        files.append(File.generated(config, uri, content=content))
    return files
