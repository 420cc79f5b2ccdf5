"""Deployments that one has signed in to: a file of profiles that only its owner can read.

It is `profiles.json` in `$XDG_CONFIG_HOME/mintline`, or what `MINTLINE_PROFILES` names. It holds refresh
tokens and clients' secrets.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from mintline.atomic_files import replace_file
from mintline.errors import Misconfigured

DEFAULT = "default"


class Profile(BaseModel):
    """Who calls which deployment: a user by a refresh token, or a machine client by its secret."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    token_endpoint: str
    client_id: str
    client_secret: str | None = None
    """Of a machine client; None: a user."""
    refresh_token: str | None = None
    access_token: str = ""
    expires_at: float = 0.0
    """When the access token ends, in Unix seconds."""


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid")

    profiles: dict[str, Profile] = {}


def profiles_path() -> Path:
    """Return where the profiles are."""
    if named := os.environ.get("MINTLINE_PROFILES"):
        return Path(named)
    config = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(config) / "mintline" / "profiles.json"


def read_profiles() -> dict[str, Profile]:
    """Return all profiles by name; raises Misconfigured for a file that is not as written here."""
    path = profiles_path()
    try:
        return _File.model_validate_json(path.read_bytes()).profiles
    except FileNotFoundError:
        return {}
    except (OSError, ValidationError) as error:
        cause = error.strerror if isinstance(error, OSError) else "not a file of profiles"
        raise Misconfigured(f"{path}: {cause}; delete it and sign in again") from None


def store_profile(name: str, profile: Profile | None) -> None:
    """Store a profile in the place of the one of its name, or delete that; raises Misconfigured, OSError."""
    profiles = read_profiles()
    if profile is None:
        profiles.pop(name, None)
    else:
        profiles[name] = profile
    path = profiles_path()
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    replace_file(path, _File(profiles=profiles).model_dump_json(indent=1).encode() + b"\n")
