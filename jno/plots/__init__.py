"""Pictures and formulas: what `core.plot` draws, what notebooks and reports show of a problem."""

from ._evaluation import PictureSite as PictureSite
from ._labels import network_fields as network_fields
from ._options import PlotOptions as PlotOptions
from ._plot import plot_expressions as plot_expressions
from ._problem import ProblemDescription as ProblemDescription
