"""``python -m fastconv``: the command line."""

from fastconv.cli import main

if __name__ == "__main__":
    main()
