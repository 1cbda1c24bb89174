"""Make a project of your own: a folder with its own package, tests and git repository, on this engine.

python scripts/new_project.py ../my_project                     the book's points and perceptron
python scripts/new_project.py ../my_project --start plain       a LightningModule and a LightningDataModule alone
python scripts/new_project.py --help                            texts, tables; the engine as a requirement
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "src"))  # nothing has to be installed for it

from projects.program import new_project, run

if __name__ == "__main__":
    run(new_project, sys.argv[1:], "scripts/new_project.py")
