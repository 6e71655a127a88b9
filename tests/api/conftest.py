"""The API over a real evaluation and a real ledger."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from api.api_world import World, make_world


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("api"))
    yield made
    made.client.close()
    made.ledger.close()
