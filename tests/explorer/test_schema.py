"""Schemathesis asks the API what its OpenAPI document allows, and what it does not: never a 5xx."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from firth.explorer.app import pages_and_api

schemathesis = pytest.importorskip("schemathesis")


@pytest.fixture(scope="module")
def schema(exploration):
    return schemathesis.openapi.from_asgi("/api/openapi.json", pages_and_api(exploration))


def check(case: Any) -> None:
    """What is asked is answered as the document says. Who asks is `security`'s matter, which stands before this."""
    answer = case.call()
    case.validate_response(
        answer,
        checks=[
            schemathesis.checks.not_a_server_error,
            schemathesis.checks.response_schema_conformance,
            schemathesis.checks.status_code_conformance,
            schemathesis.checks.content_type_conformance,
        ],
    )
    assert "secret-folder" not in answer.text


def ask_everything(schema: Any, n_questions: int, modes: Sequence[Any]) -> int:
    how = settings(
        max_examples=n_questions,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    n_operations = 0
    for found in schema.get_all_operations():
        operation = found.ok()
        n_operations += 1
        for mode in modes:
            how(given(case=operation.as_strategy(generation_mode=mode))(check))()
    return n_operations


def test_a_question_of_each_kind(schema):
    assert ask_everything(schema, 1, [schemathesis.GenerationMode.POSITIVE]) >= 18


@pytest.mark.slow
def test_many_questions_of_each_kind(schema):
    assert ask_everything(schema, 60, list(schemathesis.GenerationMode)) >= 18
