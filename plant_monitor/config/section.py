"""What every part of a configuration file is made of: a mapping that knows its keys, and secrets."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from plant_monitor.config.scalars import Plain, expected
from plant_monitor.config.yaml_tree import Text


class Section(BaseModel):
    """A mapping that knows all of its keys: one that is not among them is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def _secret(value: Any) -> str:
    if not isinstance(value, Text) or not value.startswith(("env:", "file:")) or not value.partition(":")[2].strip():
        raise expected("env:NAME or file:PATH (a secret never stands in the file itself)", "something else")
    return str(value)


Secret = Annotated[str, BeforeValidator(_secret), WithJsonSchema({"type": "string", "pattern": "^(env|file):.+"})]


class TlsSection(Section):
    """TLS of a connection. Paths are relative to the folder of plant.yaml."""

    ca: Plain | None = Field(None, description="PEM file of the authorities to trust; omitted: those of the system")
    certificate: Plain | None = Field(None, description="PEM file of our own certificate, where the other side asks")
    key: Plain | None = Field(None, description="PEM file of its key; omitted: it stands in the certificate's file")
    key_password: Secret | None = Field(None, description="of an encrypted key: env:NAME or file:PATH")
