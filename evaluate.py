"""Score a run's checkpoint on its validation photographs: python evaluate.py run=outputs/quickstart"""

import sys

from colorize.cli import main

# Shell completion looks for @hydra.main in this file; it is in colorize/cli/hydra_app.py
if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
