"""The site, made of README.md, docs/ and the docstrings: make docs.

Sphinx reads the repository from its root, so that a link means the same on the site as it does on GitHub.
"""

from __future__ import annotations

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

import rosenblatt

project = "Rosenblatt"
author = copyright = "The Rosenblatt contributors"
version = release = rosenblatt.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
root_doc = "README"
include_patterns = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "docs/**"]
exclude_patterns = [".*", "configs", "logs", "scripts", "site", "src", "tests"]  # that are not looked through
html_theme = "furo"
html_title = f"Rosenblatt {version}"
html_copy_source = False

myst_heading_anchors = 6  # as GitHub names headings
default_role = "py:obj"  # `Name` in a docstring leads there, where the reference has it
autodoc_default_options = {"members": True, "show-inheritance": True}
autodoc_member_order = "bysource"
napoleon_use_ivar = True  # attributes of a class are told in its docstring, and nowhere else
maximum_signature_line_length = 100

CONTENTS = """
```{toctree}
:hidden:
:glob:
:caption: Guides

docs/guides/*
```

```{toctree}
:hidden:
:glob:
:caption: Pages

docs/*
CONTRIBUTING
CHANGELOG
```

```{toctree}
:hidden:
:glob:
:caption: Reference

docs/reference/*
```
"""


def add_contents(app: Sphinx, name: str, source: list[str]) -> None:
    """Put the table of contents under README.md, where GitHub would show it as it is written."""
    if name == root_doc:
        source[0] += CONTENTS


def without_factories(app: Sphinx, *of: object) -> tuple[str | None, str | None]:
    """Return a signature that can be read as code: a dataclass has ``<factory>`` for what it makes anew each time."""
    *_, signature, returned = of
    return str(signature).replace("<factory>", "...") if signature else None, returned


def without_aliases(app: Sphinx, what: str, name: str, one: object, *of: object) -> bool | None:
    """Leave out what the fields of a NamedTuple say of themselves: their class has told of them."""
    return True if str(one.__doc__).startswith("Alias for field number") else None


def by_last_name(app: Sphinx, env: BuildEnvironment, node: pending_xref, inside: nodes.TextElement) -> object:
    """Lead to the one object of a name, such as `Bags`, from wherever it is named."""
    domain = env.domains.python_domain
    found = [name for name in domain.objects if name.endswith(f".{node['reftarget']}")]
    if node["refdomain"] != "py" or len(found) != 1:
        return None
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", found[0], node, inside)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", add_contents)
    app.connect("autodoc-process-signature", without_factories)
    app.connect("autodoc-skip-member", without_aliases)
    app.connect("missing-reference", by_last_name)
