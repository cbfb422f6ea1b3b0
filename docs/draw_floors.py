"""Draw the floors of the house, `docs/assets/floors.svg`, from the contract that is checked: python docs/draw_floors.py

The layers are read from `pyproject.toml` (import-linter), so that the picture cannot differ from what holds.
"""

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PICTURE = ROOT / "docs" / "assets" / "floors.svg"
FLOOR, GAP, MARGIN, LETTER = 34, 8, 12, 7.6  # heights of a floor and between two, and widths, in pixels
WIDTH = 860


def floors():
    """Names of the rooms by floor, the highest floor first."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"][
        "contracts"
    ]
    house = next(contract for contract in contracts if contract.get("containers") == ["jno"])
    return [[room.strip() for room in layer.split("|")] for layer in house["layers"]]


def drawing():
    """The picture as text."""
    rows = floors()
    height = len(rows) * (FLOOR + GAP) - GAP + 2 * MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        'aria-label="The floors of jNO: a room imports only from the floors below it">',
        "<style>rect{fill:#e8eaf6;stroke:#3f51b5}text{font:13px monospace;fill:#1a237e;text-anchor:middle}</style>",
    ]
    for number, rooms in enumerate(rows):
        widths = [LETTER * len(room) + 24 for room in rooms]
        left = (WIDTH - sum(widths) - GAP * (len(rooms) - 1)) / 2
        top = MARGIN + number * (FLOOR + GAP)
        for room, width in zip(rooms, widths, strict=True):
            parts.append(f'<rect x="{left:.1f}" y="{top}" width="{width:.1f}" height="{FLOOR}" rx="4"/>')
            parts.append(f'<text x="{left + width / 2:.1f}" y="{top + FLOOR / 2 + 4.5}">{room}</text>')
            left += width + GAP
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    PICTURE.write_text(drawing(), encoding="utf-8")
