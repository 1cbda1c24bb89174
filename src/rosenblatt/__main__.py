"""What ``rosenblatt`` on the command line does: make a project, or bring one up to date.

rosenblatt new ../my_project
rosenblatt update ../my_project
"""

import sys
from pathlib import Path


def main() -> None:
    """Hand over to the programs of the template: those of a checkout, or those that an installed engine has brought."""
    engine = Path(__file__).resolve().parent
    roots = [root for root in (engine.parents[1], engine / "template") if (root / "scripts" / "projects").is_dir()]
    if not roots:
        sys.exit("error: this engine was copied into a project, without the template. Take a checkout of Rosenblatt.")
    sys.path.insert(0, str(roots[0] / "scripts"))
    from projects.program import main as run

    run()


if __name__ == "__main__":
    main()
