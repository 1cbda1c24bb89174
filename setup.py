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
        from projects.template import FILES

        template = Path(self.build_lib) / "rosenblatt" / "template"
        shutil.rmtree(template, ignore_errors=True)
        for name in ("configs", "scripts/projects", "src/perceptron", "tests/perceptron"):
            shutil.copytree(ROOT / name, template / name, ignore=shutil.ignore_patterns("__pycache__"))
        for name in FILES:
            (template / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, template / name)


setup(cmdclass={"build_py": BuildWithTemplate})
