"""``python -m weft.cli``: the command line where no script is installed."""

from weft.cli import main

main()
