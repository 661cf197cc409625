"""`python -m resvision`."""

from resvision.cli.main import main

if __name__ == "__main__":
    main()
