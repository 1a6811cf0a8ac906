"""What is wrong with MLflow, in a sentence that says what to do; never a page of a server, never a password."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from bench.errors import BenchError, TrackingError
from bench.records.mlflow_address import first_line, shown
from bench.records.mlflow_client import schema_problem

LONGEST = 160  # letters of another's message
STATUS = re.compile(r"failed with error code (\d{3})")
BODY = re.compile(r"\.?\s*Response body:.*", re.DOTALL)  # which may be a page for browsers
NO_JSON = "not in a valid JSON format"
LOGIN = (
    "set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN, in the environment, to those "
    "of somebody who may write there"
)
BUSY = ("502", "503", "504")


@contextmanager
def one_sentence(uri: str) -> Iterator[None]:
    """While MLflow is used and must work.

    Raises:
        TrackingError: If it does not.
    """
    try:
        yield
    except BenchError:
        raise
    except Exception as error:
        raise TrackingError(problem(error, uri)) from error


def problem(error: Exception, uri: str) -> str:
    """What an error says about the store at an address; whatever MLflow raises is understood."""
    place, status = shown(uri), STATUS.search(str(error))
    if isinstance(error, TrackingError):
        return str(error)
    if (schema := schema_problem(uri, error)) is not None:
        return str(schema)
    if isinstance(error, ModuleNotFoundError):
        return f"MLflow at {place} cannot be used: the package {error.name} is not installed"
    if (silence := _silence(error, place)) is not None:
        return silence
    if status is not None:
        return _answer(status[1], place)
    if NO_JSON in str(error):
        return f"what answers at {place} is no MLflow server; check the address"
    line = BODY.sub("", first_line(error, uri))
    return f"MLflow at {place} does not work ({line if len(line) <= LONGEST else f'{line[:LONGEST]}…'})"


def _silence(error: Exception, place: str) -> str | None:
    """Why no server answers; None if one does, or none is asked."""
    from requests import exceptions

    causes = list(_causes(error))
    if any(isinstance(cause, exceptions.SSLError) for cause in causes):
        return f"the server at {place} and this machine find no encryption; check whether it is http:// or https://"
    if any(isinstance(cause, exceptions.Timeout) for cause in causes):
        return f"nothing answers in time at {place}; check the address and the network"
    if any(isinstance(cause, exceptions.ConnectionError) for cause in causes):
        return f"nothing answers at {place}; check whether the server runs, and the name and the port"
    return None


def _answer(status: str, place: str) -> str:
    """What the status of an answer means that is no answer of MLflow."""
    if status in ("401", "403"):
        what = "wants a login" if status == "401" else "does not let this user in"
        return f"the MLflow server at {place} {what} ({status}): {LOGIN}"
    if status == "404":
        return f"something answers at {place}, but not as an MLflow server (404); check the address"
    if status in BUSY:
        return f"the MLflow server at {place} is not ready ({status}); ask whoever runs it"
    return f"the MLflow server at {place} answers with an error ({status}); its own log says why"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """An error and those behind it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
