"""Keywords and numbers of VTK's old format, as text or in binary."""

from __future__ import annotations

import numpy as np

_TYPES = {
    "bit": "u1",
    "char": "i1",
    "signed_char": "i1",
    "unsigned_char": "u1",
    "short": "i2",
    "unsigned_short": "u2",
    "int": "i4",
    "unsigned_int": "u4",
    "long": "i8",
    "unsigned_long": "u8",
    "long_long": "i8",
    "unsigned_long_long": "u8",
    "vtkidtype": "i4",
    "float": "f4",
    "double": "f8",
    **{f"vtktypeint{bits}": f"i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"vtktypeuint{bits}": f"u{bits // 8}" for bits in (8, 16, 32, 64)},
    "vtktypefloat32": "f4",
    "vtktypefloat64": "f8",
}


class VtkStream:
    """The contents of a file after its three lines of header.

    Args:
        contents: of the file.

    Raises:
        ValueError: another header.
    """

    def __init__(self, contents: bytes) -> None:
        self._contents, self._at = contents, 0
        if not self._line().startswith(b"# vtk DataFile Version"):
            raise ValueError("the first line is not '# vtk DataFile Version'")
        self._line()  # a title
        form = self._line().strip().upper()
        if form not in (b"ASCII", b"BINARY"):
            raise ValueError(f"the third line must be ASCII or BINARY, not {form.decode(errors='replace')!r}")
        self.binary = form == b"BINARY"

    def _line(self) -> bytes:
        end = self._contents.find(b"\n", self._at)
        end = len(self._contents) if end < 0 else end
        line = self._contents[self._at : end]
        self._at = end + 1
        return line

    def words(self) -> list[str] | None:
        """The words of the next line that is not blank, `None` at the end."""
        while self._at < len(self._contents):
            words = self._line().split()
            if words:
                return [word.decode() for word in words]
        return None

    def peek(self) -> list[str]:
        """The words of the next line, which stays the next one; none where there are other bytes."""
        at = self._at
        try:
            return self.words() or []
        except UnicodeDecodeError:
            return []
        finally:
            self._at = at

    def skip_paragraph(self) -> None:
        """Skip the lines before the next blank one."""
        while self._at < len(self._contents) and self._line().strip():
            pass

    def numbers(self, count: int, kind: str) -> np.ndarray:
        """The next numbers; strings are skipped, and an array of zeros stands for them."""
        if count < 0:
            raise ValueError(f"{count} numbers announced")
        if kind.lower() == "string":
            for _ in range(count):
                self._skip_string()
            return np.zeros(count)
        code = _TYPES[kind.lower()]
        return self._binary(count, kind.lower(), code) if self.binary else self._text(count, code)

    def _text(self, count: int, code: str) -> np.ndarray:
        words: list[bytes] = []
        while len(words) < count:
            if self._at >= len(self._contents):
                raise EOFError(f"{count} numbers announced, {len(words)} left")
            words += self._line().split()
        if len(words) != count:
            raise ValueError(f"{count} numbers announced, {len(words)} in the lines")
        return np.array(words, dtype=np.float64 if code[0] == "f" else np.int64)

    def _binary(self, count: int, kind: str, code: str) -> np.ndarray:
        size = -(-count // 8) if kind == "bit" else count * int(code[1])
        data = self._contents[self._at : self._at + size]
        if len(data) < size:
            raise EOFError(f"{size} bytes announced, {len(data)} left")
        self._at += size
        if self._contents[self._at : self._at + 1] == b"\n":
            self._at += 1
        if kind == "bit":
            return np.unpackbits(np.frombuffer(data, dtype=np.uint8), count=count)
        return np.frombuffer(data, dtype=f">{code}")

    def _skip_string(self) -> None:
        if self._at >= len(self._contents):
            raise EOFError("the file ends inside an array of strings")
        if not self.binary:
            self._line()
            return
        # the two highest bits say in how many bytes the length is written
        head = self._contents[self._at]
        width = {3: 1, 2: 2, 1: 4, 0: 8}[head >> 6]
        length = int.from_bytes(self._contents[self._at : self._at + width], "big") & (1 << 8 * width - 2) - 1
        self._at += width + length
