"""`nn`: lifting modules into the trace."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable
from typing import Any

import equinox as eqx

from jno.trace import Model
from jno.utils import KEY, PATH, TEXT, Key, checked, integer, is_integral, set_network_seed

from ._embed import Embedding
from ._flax import wrap_linen, wrap_nnx
from ._search_space import ArchSpace
from ._tunable import TunableModule


class nn:
    """Wrap neural-network modules so that they take part in expressions.

    ``jno.nn(module)`` is short for ``jno.nn.wrap(module)``.

    Example:
        >>> import jax, foundax, jno
        >>> net = jno.nn(foundax.mlp(2, hidden_dims=16, key=jax.random.PRNGKey(0)))
    """

    def __new__(cls, module: object, space: object = None, name: str = "", weight_path: str | None = None) -> Any:
        """Same as `wrap`."""
        return cls.wrap(module, space, name, weight_path)

    @classmethod
    @checked(name=TEXT, weight_path=PATH)
    def wrap(cls, module: object, space: object = None, name: str = "", weight_path: str | None = None) -> Model:
        """A `Model` over ``module``; a `TunableModule` over a class with a search space.

        Args:
            module: an Equinox module (all of ``foundax``), a Flax Linen module (initialised when the first core that
                uses it is built) or a Flax NNX module.  It is called with whole arrays ``(N, D)``; a module written
                for single points is mapped over the points.
            space: a `jno.np.tune.space` whose architectures ``core.sweep`` tries.  ``module`` must then be a class, or
                a function that returns a module, whose parameters are ``arch`` (the whole `jno.np.Arch`) or the names
                in the space, and ``key``.
            name: display name.
            weight_path: pretrained weights, as for ``Model.initialize``.

        Raises:
            TypeError: ``module`` is not a module, ``space`` not a search space, or a constructor that does not take the
                options of the space.
            ValueError: ``space`` together with an instance.

        Example:
            >>> import foundax, jno
            >>> space = jno.np.tune.space().unique("width", [8, 16])
            >>> net = jno.nn.wrap(lambda width, key: foundax.mlp(1, hidden_dims=width, key=key), space)
            >>> net.arch
            Arch({'width': 8})
        """
        if space is not None:
            if not (inspect.isclass(module) or inspect.isfunction(module)):
                raise ValueError(f"wrap(space=...) needs a module class, got an instance of {type(module).__name__}")
            if not isinstance(space, ArchSpace):
                raise TypeError(f"wrap(space=...) takes a jno.np.tune.space(), got {type(space).__name__}")
            return TunableModule(module, space, _as_equinox, name, weight_path)
        return Model(_as_equinox(module), name, weight_path)

    @classmethod
    @checked(harmonics=integer(1, 10_000), fourier=integer(0, 100_000), key=KEY, name=TEXT, weight_path=PATH)
    def embed(
        cls,
        network: object,
        inputs: object,
        *,
        periodic: object = None,
        harmonics: int = 1,
        fourier: int = 0,
        scales: object = 1.0,
        factorize: object = False,
        magnitude: object = None,
        offset: object = None,
        samples: object = None,
        key: Key | None = None,
        name: str = "",
        weight_path: str | None = None,
    ) -> Model:
        r"""A `Model` over ``offset + magnitude * network(features of the coordinates)``, conditioned without hand work.

        The coordinates of a call, column by column, become the inputs of the network in three steps:

        1. ``inputs`` scales them to :math:`[-1, 1]`, with mean 0 over their range.
        2. ``periodic`` replaces column :math:`x` of period :math:`P` by :math:`\cos(2\pi k(x - c)/P)` and
           :math:`\sin(2\pi k(x - c)/P)`, ``k`` up to ``harmonics``, :math:`c` the middle of its range: the network and
           all its derivatives have the period exactly.
        3. ``fourier`` replaces what there is by :math:`(\cos 2\pi B^\top z, \sin 2\pi B^\top z)` with random
           frequencies :math:`B \sim N(0, s^2)`, ``fourier`` of them for every scale :math:`s`: with larger scales the
           network learns faster oscillations. Features of several scales stand side by side; the paper on several
           scales passes each of them through the hidden layers alone, which costs a pass for every scale and gave
           errors of the same size (medians of three seeds on sines of 1 and of 15 periods: 0.005 there, 0.010 here).

        All of this is fixed: only the leaves of ``network`` are trained, and they are ``net.module.network``.

        Args:
            network: as for `wrap`, called with one array ``(N, size)``; or a function ``size -> module``, so
                that the number of inputs need not be counted: ``lambda size: foundax.mlp(size, key=key)``.
            inputs: the range of every column of a call, in its order: a domain (its coordinates, and the time where it
                has one, see ``domain.bounds``), or a list of variables, pairs ``(low, high)``, and ``None`` for a
                column that stays as it is.
            periodic: dictionary, number of a column -> its period, or ``None`` for the length of its range.
            harmonics: number of cosines and sines of each periodic column (1).
            fourier: number of random frequencies for every scale (0: no Fourier features).
            scales: standard deviation of the frequencies in cycles per half range, or several (1).
            factorize: write every matrix :math:`W` of linear layers as :math:`\operatorname{diag}(e^{s}) V` and train
                :math:`s` and :math:`V`; ``True`` draws :math:`s \sim N(1, 0.1^2)`, ``(mean, deviation)`` others. What
                the network computes at first does not change.
            magnitude: size of the outputs, a number or one for each (1).
            offset: middle of the outputs, a number or one for each (0).
            samples: values ``(N, D)`` of the solution, such as data, whose standard deviation and mean are magnitude
                and offset, instead of these.
            key: random key of the frequencies and of the scales of the factors.
            name: display name.
            weight_path: pretrained weights, as for ``Model.initialize``.

        Returns:
            the model; ``.module`` of it can be a part of other modules, and of architectures that a sweep tries.

        Raises:
            TypeError: ``network`` is neither, ``inputs`` not a domain or list, ``periodic`` not a dictionary.
            ValueError: an entry of ``inputs`` without a range, an unknown column, a number outside its range, random
                numbers without a key, a network of another number of inputs or outputs.

        Example:
            >>> import foundax, jax, jno
            >>> domain = jno.domain.rect(x_range=(0, 1e-3), y_range=(0, 2e-3), mesh_size=5e-4)
            >>> weights, features = jax.random.split(jax.random.key(0))
            >>> build = lambda size: foundax.mlp(size, hidden_dims=16, key=weights)
            >>> net = jno.nn.embed(build, domain, fourier=8, scales=(1, 5), magnitude=300, offset=293, key=features)
            >>> net.module.embedding.size
            32

        Source: periodic functions: S. Dong, N. Ni, "A method for representing periodic functions and enforcing exactly
        periodic boundary conditions with deep neural networks", 2021, arXiv:2007.07442. Fourier features: M. Tancik et
        al., "Fourier features let networks learn high frequency functions in low dimensional domains", 2020,
        arXiv:2006.10739; several scales: S. Wang, H. Wang, P. Perdikaris, "On the eigenvector bias of Fourier feature
        networks", 2021, arXiv:2012.10047. Factors: S. Wang, H. Wang, J. H. Seidman, P. Perdikaris, "Random weight
        factorization improves the training of continuous neural representations", 2022, arXiv:2210.01274.
        """
        embedding = Embedding(inputs, periodic, harmonics, fourier, scales, factorize, magnitude, offset, samples, key)
        return Model(embedding.module(network, _as_equinox), name, weight_path)


def set_default_rng_seed(seed: object) -> None:
    """Choose the weights of networks that are built without a key, without changing any other random number.

    They are the initial weights of Flax Linen modules, of networks over a search space, those that
    ``Model.initialize`` draws and those of new adapters, in cores that are built from now on; a key that is given
    there counts instead.  The trials of ``core.sweep`` build networks from the seed of their core.  `jno.setup` undoes
    the call.

    Args:
        seed: any integer; None: the seed of everything else, `jno.get_seed()`, again.

    Raises:
        TypeError: ``seed`` is not an integer.

    Example:
        >>> import jno
        >>> from jno.architectures.models import set_default_rng_seed
        >>> set_default_rng_seed(7)
        >>> set_default_rng_seed(None)
    """
    if seed is not None and not is_integral(seed):
        raise TypeError(
            f"set_default_rng_seed({seed!r}): the seed must be an integer, or None for that of jno.get_seed()"
        )
    set_network_seed(None if seed is None else int(seed))


_FLAX: dict[str, Callable[[Any], eqx.Module]] = {"flax.linen": wrap_linen, "flax.nnx": wrap_nnx}
"""Libraries of modules that are not Equinox modules, and their adapters."""


def _as_equinox(module: object) -> eqx.Module:
    if isinstance(module, Model):
        raise TypeError("the module is already wrapped: use the Model itself")
    if inspect.isclass(module):
        raise TypeError(f"wrap() takes a module instance, got the class {module.__name__}; construct it first")
    if isinstance(module, eqx.Module):
        if not callable(module):
            raise TypeError(f"{type(module).__name__} has no __call__, so it cannot be used as a network")
        return module
    for library, wrap in _FLAX.items():
        # who holds a Flax module has imported Flax; nobody else pays for it
        if library in sys.modules and isinstance(module, sys.modules[library].Module):
            return wrap(module)
    raise TypeError(
        f"wrap() takes an Equinox, Flax Linen or Flax NNX module, got {type(module).__name__}; wrap a plain function "
        "with jno.fn(function, [arguments]) or put it in an equinox.Module"
    )
