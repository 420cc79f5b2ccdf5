"""Settings from the environment: one frozen model per process, validated at start."""

from __future__ import annotations

import json
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from mintline.errors import Misconfigured

PREFIX = "MINTLINE_"


@dataclass(frozen=True, slots=True)
class FormerName:
    """The name that a field had in the release before, as `Annotated[…, FormerName("…")]`.

    Its variable is read where the field's own is not set.
    """

    name: str

    def variable(self) -> str:
        """Return the variable of that name."""
        return _variable(self.name)


class Settings(BaseModel):
    """What every process reads; `MINTLINE_LOG_LEVEL` sets `log_level`, and so on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    def public(self) -> dict[str, Any]:
        """Return the fields that may be logged: all but the secrets."""
        return {
            k: v
            for k, v in self.model_dump(mode="json").items()
            if not isinstance(getattr(self, k), SecretStr)
        }


class ServiceSettings(Settings):
    """What every networked service reads in addition."""

    aws_region: str = "us-east-1"
    aws_endpoint_url: str | None = None
    """One endpoint for all AWS services (an emulator); None means AWS itself."""
    resource_prefix: str = Field(default="mintline", pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")
    """Begins the name of every queue, table, bucket and key."""
    receive_wait: int = Field(default=20, ge=0, le=20)
    """Seconds that a receive waits for a first message. A receive whose process was killed can still take
    messages and hide them for a visibility timeout: an emulator that does so wants a short wait."""
    admin_host: str = "127.0.0.1"
    admin_port: int = Field(default=0, ge=0, le=65535)
    """Where /healthz, /readyz and /metrics are served; 0 picks a free port."""
    metrics_namespace: str | None = Field(default=None, pattern=r"^[A-Za-z0-9._/#:-]{1,255}$")
    """CloudWatch's namespace for the metrics that are written to the log once a minute; None: none are."""
    otlp_endpoint: str | None = Field(default=None, pattern=r"^https?://")
    """The collector that gets traces over OTLP/HTTP, such as http://localhost:4318; None means no traces."""


SettingsT = TypeVar("SettingsT", bound=Settings)


def load(model: type[SettingsT], environ: Mapping[str, str]) -> SettingsT:
    """Read `model` from `MINTLINE_…` variables; raises Misconfigured, one line that names the variable.

    A variable that no field of the model asks for is ignored: one environment may serve several processes.
    Lists and models are given as JSON.
    """
    raw: dict[str, Any] = {}
    for name, field in model.model_fields.items():
        former = [old.variable() for old in field.metadata if isinstance(old, FormerName)]
        for variable in (_variable(name), *former):
            if variable in environ:
                raw[name] = _structured(field.annotation, variable, environ[variable])
                break
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(
            f"{PREFIX}{'.'.join(str(part) for part in fault['loc']).upper()}: {fault['msg']}"
            for fault in error.errors(include_url=False, include_input=False)
        )
        raise Misconfigured(f"settings: {faults}") from None


def _variable(name: str) -> str:
    return f"{PREFIX}{name.upper()}"


def _structured(annotation: Any, variable: str, text: str) -> Any:
    origin = get_origin(annotation)
    if origin in (Union, types.UnionType):
        inner = [arg for arg in get_args(annotation) if arg is not type(None)]
        return _structured(inner[0], variable, text) if len(inner) == 1 else text
    is_model = isinstance(annotation, type) and issubclass(annotation, BaseModel)
    if origin in (list, tuple, dict, frozenset) or is_model:
        try:
            return json.loads(text)
        except ValueError as error:
            raise Misconfigured(f"settings: {variable}: expected JSON: {error}") from None
    return text
