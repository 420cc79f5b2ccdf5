"""`python -m mintline_api`: serve the API until SIGTERM."""

import mintline.without_extras  # noqa: F401 - before all that would load them
from mintline import process
from mintline_api.service import run
from mintline_api.settings import Settings

if __name__ == "__main__":
    process.main("api", Settings, run)
