"""Networks and parameters: wrapping, initialisation, masks."""

from ._build import build_module as build_module
from ._constrain import constrained as constrained
from ._flax import is_uninitialized as is_uninitialized
from ._masks import checked_mask as checked_mask
from ._masks import leaf_paths as leaf_paths
from ._masks import overlap as overlap
from ._masks import trainable_filter as trainable_filter
from ._masks import trained_leaves as trained_leaves
from ._parameter import Parameter as Parameter
from ._parameter import parameter as parameter
from ._summary import print_summary as print_summary
from .models import nn as nn
