"""Draw the pictures of the gallery by running its examples: python docs/draw_gallery.py [NAME ...]

Each runs alone in a temporary folder. Its picture becomes `docs/assets/gallery/NAME.webp`; the seconds of processor
time and the last line that it printed are recorded in `records.json` beside it.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

PICTURES = Path(__file__).resolve().parent / "assets" / "gallery"
EXAMPLES = Path(__file__).resolve().parent.parent / "examples" / "gallery"
WIDTH = 900


def compress(picture: Path, target: Path) -> None:
    """Write a picture with at most WIDTH columns as WebP."""
    with Image.open(picture) as image:
        small = image.convert("RGB")
        small.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
        small.save(target, quality=82, method=6)


def record(name: str, seconds: float, printed: str) -> None:
    """Replace the entry of an example."""
    file = PICTURES / "records.json"
    entries = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    entries[name] = {"seconds": round(seconds), "printed": printed}
    file.write_text(json.dumps(dict(sorted(entries.items())), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def printed_line(output: str) -> str:
    """The last line of an output that is not the library's log."""
    return [line for line in output.splitlines() if line.strip() and not line.startswith(("INFO", "WARNING"))][-1]


def processor_time() -> float:
    """Seconds that all finished children of this process have taken."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def draw(name: str) -> None:
    """Run an example and keep its picture, seconds and last line."""
    with tempfile.TemporaryDirectory() as folder:
        before = processor_time()
        environment = {**os.environ, "MPLBACKEND": "Agg", "JNO_COMPILATION_CACHE": "0"}
        command = [sys.executable, str(EXAMPLES / f"{name}.py")]
        run = subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True)
        record(name, processor_time() - before, printed_line(run.stdout))
        compress(Path(folder) / f"{name}.png", PICTURES / f"{name}.webp")


if __name__ == "__main__":
    PICTURES.mkdir(exist_ok=True)
    for example in sys.argv[1:] or sorted(path.stem for path in EXAMPLES.glob("*.py")):
        print(example, flush=True)
        draw(example)
