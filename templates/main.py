"""What the template's launcher runs: the job of the package, with the flags of its ``--mode``."""

import sys

from pipeline.commands.app import main
from pipeline.options import take_mode

if __name__ == "__main__":
    sys.exit(main(take_mode(sys.argv[1:])))
