"""Score a run's checkpoint on its validation photographs: python evaluate.py run=outputs/quickstart"""

import sys

from colorize.cli import main

if __name__ == "__main__":
    sys.exit(main(["evaluate", *sys.argv[1:]]))
