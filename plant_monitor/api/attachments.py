"""Files that come with a request, in base64, and go out again as files."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from fastapi import Response
from pydantic import BaseModel, ConfigDict, Field

from plant_monitor.alerts.attachments import MAX_BYTES, MAX_FILES, Attachment
from plant_monitor.api.errors import invalid


class AttachmentBody(BaseModel):
    """A file."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=200, pattern=r'^[^/\\"\x00-\x1f]+$', examples=["dial.jpg"])
    media_type: str = Field("application/octet-stream", pattern=r"^[\w.+-]+/[\w.+-]+$", max_length=100)
    content: str = Field(description="base64; at most 2 MB", max_length=(MAX_BYTES + 2) // 3 * 4)


#: Files of one step.
Files: Any = Field([], max_length=MAX_FILES, description="files that go with it")


def decoded(given: Sequence[AttachmentBody]) -> list[Attachment]:
    """The files; 422 for what is no base64."""
    return [_decoded(one, f"body.attachments.{place}") for place, one in enumerate(given)]


def _decoded(given: AttachmentBody, where: str) -> Attachment:
    try:
        content = base64.b64decode(given.content, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("expected the content of the file in base64", where) from None
    return Attachment(given.name, given.media_type, content)


def download(content: bytes, media_type: str) -> Response:
    """A file that was handed in; never shown by a browser as a page of ours, whatever it claims to be."""
    return Response(content, media_type=media_type, headers={"Content-Disposition": "attachment"})
