"""One warning for each thing that a logger drops."""

from __future__ import annotations

import warnings


class Dropped:
    """Warns once per subject.

    Not through `jno.utils.get_logger`: its file is likely to be on the disk that is full.
    """

    def __init__(self) -> None:
        self._subjects: set[str] = set()

    def warn(self, subject: str, message: str) -> None:
        """Warn, unless this subject had its warning."""
        if subject not in self._subjects:
            self._subjects.add(subject)
            warnings.warn(message, stacklevel=2)

    def not_real(self, name: str, value: object) -> None:
        """A tracked value that is no array of real numbers."""
        self.warn(
            f"value of {name}",
            f"tracker {name!r} gave {type(value).__name__}, which is not logged: only real numbers and arrays of "
            "real numbers are (use tracker(reduce=...)). The training history keeps it.",
        )
