"""The collective operations in the loop over steps of a compiled program, read from its HLO text."""

from __future__ import annotations

import dataclasses
import math
import re

_BYTES = {"pred": 1, "s8": 1, "u8": 1, "s16": 2, "u16": 2, "f16": 2, "bf16": 2, "s32": 4, "u32": 4, "f32": 4}
_BYTES |= {"s64": 8, "u64": 8, "f64": 8, "c64": 8, "c128": 16}
_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.-]+) .*\{$")
_INSTRUCTION = re.compile(r"^\s*(?:ROOT )?%?[\w.-]+ = (\(.*?\)|\S+) ([\w-]+)\((.*)$")
_ARRAY = re.compile(r"\b([a-z]\w*)\[([\d,]*)\]")
_CALLED = re.compile(r"(?:calls|to_apply|body|condition|branch_computations)=\{?(%[\w.-]+(?:, %[\w.-]+)*)")
_TRIPS = re.compile(r'"known_trip_count":\{"n":"(\d+)"\}')
_KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
# one that is started, and awaited later, counts once
_COLLECTIVES = {kind + suffix: kind for kind in _KINDS for suffix in ("", "-start")}


@dataclasses.dataclass(frozen=True)
class Collective:
    """An operation in which all devices take part, and the bytes of its result on one of them."""

    kind: str
    size: int


@dataclasses.dataclass(frozen=True)
class _Instruction:
    """One line of a computation: the type of its result, the operation, and what follows."""

    type: str
    operation: str
    arguments: str

    @property
    def called(self) -> list[str]:
        """Names of the computations that it runs."""
        return [name.lstrip("%") for names in _CALLED.findall(self.arguments) for name in names.split(", ")]

    @property
    def trips(self) -> int:
        """How often it runs them, as far as the compiler knows."""
        count = _TRIPS.search(self.arguments)
        return int(count[1]) if self.operation == "while" and count else 1


def collectives_of_loop(text: str) -> tuple[Collective, ...]:
    """The collective operations of one pass of the only loop in the entry of a module.

    Raises:
        ValueError: the entry has another number of loops.
    """
    entry, module = _parsed(text)
    loops = [instruction for instruction in entry if instruction.operation == "while"]
    if len(loops) != 1:
        raise ValueError(f"the entry of the module has {len(loops)} loops; the loop over steps would be the only one")
    return tuple(_within(module, loops[0].called))


def _parsed(text: str) -> tuple[list[_Instruction], dict[str, list[_Instruction]]]:
    """The entry, and all computations by name."""
    module: dict[str, list[_Instruction]] = {}
    entry: list[_Instruction] = []
    current = entry
    for line in text.splitlines():
        if begin := _COMPUTATION.match(line):
            current = module.setdefault(begin[2], entry if begin[1] else [])
        elif instruction := _INSTRUCTION.match(line):
            current.append(_Instruction(*instruction.groups()))
    return entry, module


def _within(module: dict[str, list[_Instruction]], names: list[str]) -> list[Collective]:
    collectives: list[Collective] = []
    for instruction in (instruction for name in names for instruction in module.get(name, [])):
        if instruction.operation in _COLLECTIVES:
            collectives.append(Collective(_COLLECTIVES[instruction.operation], _size(instruction.type)))
        collectives += instruction.trips * _within(module, instruction.called)
    return collectives


def _size(type_text: str) -> int:
    """Bytes of an array or of a tuple of arrays."""
    return sum(
        _BYTES[kind] * math.prod(int(length) for length in lengths.split(",") if length)
        for kind, lengths in _ARRAY.findall(type_text)
    )
