"""`python -m spotward` is the command `spotward`."""

from spotward.cli.main import main

if __name__ == "__main__":
    main()
