"""What a file may demand of the machine that reads it: the limits, and the message where a file exceeds one."""

from __future__ import annotations

import dataclasses

_MIB = 1024**2


@dataclasses.dataclass(frozen=True)
class Limits:
    """The most that a file may claim before it is refused.

    Each is an entry of the table `[limits]` and a variable `JNO_LIMIT_<NAME>`; see `get_limits`.

    Attributes:
        text_bytes: bytes of a file of text that is parsed at once, JSON, TOML or YAML, and of a line of a journal
            (64 MiB).
        header_bytes: bytes of the header of a file that `jno.save` wrote, and of a signature (1 MiB).
        depth: how deep lists and tables may be nested (100).
        unpacked_bytes: bytes that compressed content, or a grid given by its dimensions, needs in memory (256 MiB); a
            larger file may need `expansion` times its own size.
        expansion: how many times its own size a file may need in memory, where that is more than `unpacked_bytes`
            (100).

    Example:
        >>> from jno.utils import Limits
        >>> Limits().depth
        100
    """

    text_bytes: int = 64 * _MIB
    header_bytes: int = 1 * _MIB
    depth: int = 100
    unpacked_bytes: int = 256 * _MIB
    expansion: int = 100

    def check(self, name: str, claim: int, origin: str, what: str) -> None:
        """Refuse a claim that is above a limit.

        Args:
            name: of the limit.
            claim: what the file claims.
            origin: names the file in messages.
            what: the claim in words, with a verb and its number, such as `"is nested 200 deep"`.

        Raises:
            ValueError: it is; naming the file, the claim and the limit.
        """
        limit = getattr(self, name)
        if claim > limit:
            raise ValueError(f"{origin} {what}; the limit is {limit:,}. {raising(name)}")

    def check_unpacked(self, claim: int, size: int, origin: str) -> None:
        """Refuse content that needs far more memory than its file has bytes.

        Args:
            claim: bytes in memory.
            size: bytes of the file.
            origin: names the file in messages.

        Raises:
            ValueError: naming the file, the claim and the limit.
        """
        limit = max(self.unpacked_bytes, self.expansion * size)
        if claim > limit:
            raise ValueError(
                f"{origin} has {size:,} bytes and claims {claim:,} bytes of memory; the limit for it is {limit:,}. "
                f"{raising('unpacked_bytes')}"
            )


def raising(name: str) -> str:
    """What to do where a file that is trusted exceeds a limit."""
    return (
        f"If you trust the file, raise the limit: set JNO_LIMIT_{name.upper()}, or {name} in the table [limits] of "
        "~/.jno/config.toml."
    )
