"""MkDocs hook: formulas become MathML, which browsers show without scripts and fonts of others.

In docstrings they are roles, :math:`u_t`, or stand between dollars; mkdocs-material would need MathJax for them.
"""

import re
from html import unescape

from latex2mathml.converter import convert

_ROLE = re.compile(r":math:<code>(.*?)</code>", flags=re.DOTALL)
_ARITHMATEX = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', flags=re.DOTALL)


def _mathml(latex, display="inline"):
    return convert(unescape(latex), display=display)


def on_page_content(html, **_):
    """Called by MkDocs with the HTML of a page."""
    formulas = _ROLE.sub(lambda role: _mathml(role[1]), html)
    return _ARITHMATEX.sub(lambda formula: _mathml(formula[3], "inline" if formula[2] == "(" else "block"), formulas)
