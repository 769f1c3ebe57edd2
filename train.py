"""Train one colorizer: python train.py model=transformer loss=ddcolor"""

import sys

from colorize.cli import main

# Shell completion looks for @hydra.main in this file; it is in colorize/cli/hydra_app.py
if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
