"""schemathesis asks of every route what its description allows, and what not: no 500, no leak, the shape promised."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from api.api_world import World, happened, make_world
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

CHECKS = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
EXAMPLES = 5  # of each route, key and mode


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    made = make_world(tmp_path_factory.mktemp("schemathesis"))
    happened(made)  # a stream ends
    yield made
    made.client.close()
    made.ledger.close()


def operations(world: World) -> list[Any]:
    document = world.client.get("/api/v1/openapi.json").json()
    return [found.ok() for found in schemathesis.openapi.from_dict(document).get_all_operations()]


def ask(world: World, who: str, case: Any) -> tuple[dict[str, Any], Any]:
    """What is asked, and the answer."""
    request = case.as_transport_kwargs(base_url="http://testserver")
    request.pop("cookies", None)
    body = request.pop("data", None)
    if body is not None:
        request["content"] = body
    kept = {k: v for k, v in request.pop("headers").items() if k.lower() in ("content-type", "last-event-id")}
    headers = {**kept, "Authorization": f"Bearer {world.keys[who]}"}
    return request, world.client.request(**request, headers=headers)


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("who", ["alpha", "operator"])
def test_whatever_is_asked_is_answered_as_described(world: World, who: str, mode: GenerationMode) -> None:
    asked = set()
    for operation in operations(world):
        if mode is GenerationMode.NEGATIVE and not (list(operation.iter_parameters()) or len(operation.body)):
            continue  # nothing about it can be wrong

        @settings(
            max_examples=EXAMPLES, phases=[Phase.generate], derandomize=True, suppress_health_check=list(HealthCheck)
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def one(case: Any) -> None:
            request, answer = ask(world, who, case)
            case.validate_response(answer, checks=CHECKS)
            asked.add(case.operation.label)
            if who == "alpha" and "beta" not in str(request):
                assert "beta" not in answer.text, case.operation.label

        one()
    assert len(asked) > 30
