"""Run a command that ends with its parent: `python parent_death.py SIGNAL PARENT COMMAND…`.

The process becomes the command, keeping its pid, after asking Linux for SIGNAL when the parent is gone,
however it went. Elsewhere there is no such request to make, and the command may outlive its parent.
Started as a script by path, so that it costs no imports of the package.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(death_signal: int, parent: int) -> None:
    """Ask for `death_signal` when `parent` ends; exit at once if it already has."""
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, death_signal) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:  # it ended before the request was made
        sys.exit(1)


def main(arguments: list[str]) -> None:
    """Bind this process to its parent, and become the command."""
    death_signal, parent, *command = arguments
    end_with_parent(int(death_signal), int(parent))
    try:
        os.execvp(command[0], command)  # noqa: S606 - the supervisor's own command line
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(sys.argv[1:])
