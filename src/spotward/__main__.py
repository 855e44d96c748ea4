"""`python -m spotward` is the command `spotward`."""

from spotward.cli.entry import main

if __name__ == "__main__":
    main()
