"""What a file holds, said without running any code that the file could bring: the command `jno inspect`."""

from ._describe import describe as describe
from ._description import Description as Description
from ._description import printable as printable
