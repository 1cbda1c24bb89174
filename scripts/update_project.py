"""Bring a project that new_project.py has made up to date with this checkout: git merges, and nothing is lost.

python scripts/update_project.py ../my_project
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # nothing has to be installed for it

from projects.program import run, update_project

if __name__ == "__main__":
    run(update_project, sys.argv[1:], "scripts/update_project.py")
