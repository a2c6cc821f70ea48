"""That the documentation is complete, and both interfaces are the same."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Dict

import pytest

import antiphon
from antiphon import aio

API = (Path(__file__).parents[1] / "docs" / "api.md").read_text(encoding="utf-8")
CLASSES = [getattr(antiphon, name) for name in antiphon.__all__ if inspect.isclass(getattr(antiphon, name))]


def parameters(function: Any) -> Dict[str, Any]:
    return {name: (one.kind, one.default) for name, one in inspect.signature(function).parameters.items()}


@pytest.mark.parametrize("name", [name for name in antiphon.__all__ if name not in ("__version__", "AntiphonError")])
def test_everything_public_is_in_the_api_page(name: str) -> None:
    assert f"`{name}" in API or f"antiphon.{name}" in API


@pytest.mark.parametrize("option", list(parameters(antiphon.connect)))
def test_every_option_is_explained(option: str) -> None:
    assert f"`{option}`" in API
    assert antiphon.connect.__doc__ and (option == "url" or f"`{option}`" in antiphon.connect.__doc__)


@pytest.mark.parametrize("kind", [*CLASSES, aio.Client, aio.Channel, aio.Listener, aio.Message, aio.Opening])
def test_everything_has_a_docstring(kind: type) -> None:
    assert kind.__doc__
    for name, member in inspect.getmembers(kind):
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property)):
            assert member.__doc__, f"{kind.__name__}.{name}"


def test_both_interfaces_are_called_alike() -> None:
    assert parameters(antiphon.connect) == parameters(aio.connect)
    for name in ("Client", "Channel", "Listener", "Message"):
        blocking, asynchronous = getattr(antiphon, name), getattr(aio, name)
        for method, member in inspect.getmembers(blocking, inspect.isfunction):
            if not method.startswith("_"):
                assert parameters(member) == parameters(getattr(asynchronous, method)), f"{name}.{method}"
