"""``python -m pipeline``: the job for Beam launchers, one run with the flags of its ``--mode``."""

import sys

from pipeline.commands.app import main
from pipeline.options import take_mode

if __name__ == "__main__":
    sys.exit(main(take_mode(sys.argv[1:])))
