"""The start of the command line, as `resvision` and as `python -m resvision`.

Python puts the working folder on the import path. Torch and the standard library look there for modules that need not
be installed, and would run a `tqdm.py` from a folder of photos. So that folder leaves the path before anything is
imported, and only modules that a person names are looked for in it (`core.own_modules`).
"""

import os
import sys


def main() -> None:
    """Run the command line and leave the process with its exit code."""
    leave_out_working_folder()
    from resvision.cli.main import main as run

    run()


def leave_out_working_folder() -> None:
    """Take the working folder off the import path of this process and of those that it starts.

    It stays where PYTHONPATH names it, and where this package itself lies in it.
    """
    parts = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    named = [os.path.abspath(part) for part in parts if part]  # to Python an empty part is the working folder too
    kept = {*named, os.path.dirname(os.path.dirname(os.path.abspath(__file__)))}
    # Python's own entry is the first, followed by those of PYTHONPATH; all others were installed.
    begin = len(parts) + (not sys.flags.safe_path)
    first = [entry for entry in sys.path[:begin] if not _is_working_folder(entry) or os.path.abspath(entry) in kept]
    sys.path[:begin] = first
    os.environ["PYTHONSAFEPATH"] = "1"


def _is_working_folder(entry: str) -> bool:
    try:
        return not entry or os.path.samefile(entry, os.getcwd())
    except OSError:  # one of the two is gone
        return False


if __name__ == "__main__":
    main()
