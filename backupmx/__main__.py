"""`python -m backupmx` is the command line."""

from backupmx.cli.main import main

main()
