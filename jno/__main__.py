"""`python -m jno` is the console command `jno`."""

import sys

from jno._cli import main

if __name__ == "__main__":
    sys.exit(main())
