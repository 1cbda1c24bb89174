"""Put what `rosenblatt new` makes projects of into the engine that is installed; all else is in pyproject.toml."""

import shutil
import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).parent


class BuildWithTemplate(build_py):
    """Builds the packages, and copies the files of the template."""

    def run(self) -> None:
        """Build; an editable install finds the files in the checkout."""
        super().run()
        if self.editable_mode:
            return
        sys.path[:0] = [str(ROOT / "src"), str(ROOT / "scripts")]
        from projects.template import copy_template

        template = Path(self.build_lib) / "rosenblatt" / "template"
        shutil.rmtree(template, ignore_errors=True)
        copy_template(template)


setup(cmdclass={"build_py": BuildWithTemplate})
