"""Pictures of expressions: `core.plot`."""

from ._evaluation import PictureSite as PictureSite
from ._options import PlotOptions as PlotOptions
from ._plot import plot_expressions as plot_expressions
