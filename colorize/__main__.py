"""python -m colorize VERB"""

import sys

from colorize.cli.app import main

if __name__ == "__main__":
    sys.exit(main())
