"""LaTeX of expressions: `Placeholder.latex`, and what notebooks show."""

from ._expression import latex as latex
from ._formula import Formula as Formula
from ._formula import visible_length as visible_length
from ._nodes import node_formula as node_formula
from ._nodes import writes as writes
from ._words import symbol_of as symbol_of
