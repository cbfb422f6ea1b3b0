"""Taylor-mode differentiation: one evaluation of a jaxpr carries the value and all derivatives that are wanted.

The method is univariate and multivariate Taylor arithmetic (Griewank and Walther, *Evaluating Derivatives*, SIAM 2008,
chapter 13; Bettencourt, Johnson and Duvenaud, *Taylor-mode automatic differentiation for higher-order derivatives in
JAX*, 2019) with sums of derivatives collapsed into single coefficients (Dangel et al., *Collapsing Taylor mode
automatic differentiation*, 2025).  Here the coefficients are any space of differential operators that the product rule
maps into itself, which covers single directions, mixed derivatives and collapsed sums alike.
"""

from ._differentiate import Differentiated as Differentiated
from ._differentiate import differentiate as differentiate
from ._differentiate import jet_of as jet_of
from ._differentiate import seed as seed
from ._jets import Jet as Jet
from ._operators import IDENTITY as IDENTITY
from ._operators import Operator as Operator
from ._operators import closed_basis as closed_basis
from ._operators import operator as operator
from ._streams import Streams as Streams
from ._streams import streams_for as streams_for
