"""Put runs side by side: python compare.py outputs/quickstart outputs/quickstart-s1"""

import sys

from colorize.cli import main

if __name__ == "__main__":
    sys.exit(main(["compare", *sys.argv[1:]]))
