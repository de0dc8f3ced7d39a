from backupmx.cli.main import main

main()
