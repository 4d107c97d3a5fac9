"""Acceptance checks: asks a deployed service over HTTP and writes what came of it as JUnit XML.

Shipped in the image, so that what is tested and its tests have the same version. Exit status 0: all passed, 1: some
did not, 2: it was called in a wrong way.
"""

import argparse
import html
import http.client
import json
import re
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

_TIMEOUT_SECONDS = 10.0
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd]")


class UnmetError(Exception):
    """What was expected and what was found."""


@dataclass(frozen=True)
class Answer:
    """What the service said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    def facts(self) -> dict[str, object]:
        """The body as a JSON object. Raises UnmetError."""
        try:
            found = json.loads(self.body)
        except ValueError as error:
            raise UnmetError(f"the body isn't JSON: {self.body[:200]!r}") from error
        expect(isinstance(found, dict), f"the body isn't a JSON object: {found!r}")
        return dict(found)


class Site:
    """A deployed service, asked over one connection that is kept."""

    def __init__(self, base_url: str) -> None:
        """Takes `http://host:port` or `host:port`; raises ValueError for anything else."""
        parts = urlsplit(base_url if "://" in base_url else f"http://{base_url}")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError(f"{base_url!r} isn't an address such as http://127.0.0.1:8080")
        self.host, self.port = parts.hostname, parts.port or 80
        self._connection = http.client.HTTPConnection(self.host, self.port, timeout=_TIMEOUT_SECONDS)

    def close(self) -> None:
        """Lets the connection go."""
        self._connection.close()

    def get(self, path: str) -> Answer:
        """Asks."""
        return self._ask("GET", path, None)

    def post(self, path: str, body: str = "") -> Answer:
        """Sends a form."""
        return self._ask("POST", path, body.encode())

    def _ask(self, method: str, path: str, body: bytes | None) -> Answer:
        headers = {"Content-Type": "application/x-www-form-urlencoded"} if body is not None else {}
        self._connection.request(method, path, body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, content)


Check = Callable[[Site], None]
"""Raises UnmetError. Its docstring is the claim."""


def expect(is_met: bool, otherwise: str) -> None:
    """Raises UnmetError with the sentence."""
    if not is_met:
        raise UnmetError(otherwise)


def main(name: str, suites: Mapping[str, Sequence[Check]], arguments: Sequence[str]) -> int:
    """The command line `SUITE --base-url URL --junit FILE`; returns the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {name}", description="Checks a deployed service.")
    parser.add_argument("suite", choices=sorted(suites))
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--junit", type=Path, required=True)
    given = parser.parse_args(arguments)
    try:
        site = Site(given.base_url)
    except ValueError as error:
        parser.error(str(error))
    with closing(site):
        results = [_run(check, site) for check in suites[given.suite]]
    for result in results:
        print(f"{'passed' if not result.problem else 'FAILED'}  {result.claim}")
        if result.problem:
            print("    " + result.problem.replace("\n", "\n    "))
    given.junit.parent.mkdir(parents=True, exist_ok=True)
    given.junit.write_text(junit(f"{name}.{given.suite}", results), encoding="utf-8")
    return 1 if any(result.problem for result in results) else 0


@dataclass(frozen=True)
class Result:
    """What came of one check."""

    claim: str
    seconds: float
    kind: str = ""
    """`failure`: not as claimed; `error`: it could not be found out; empty: passed."""
    problem: str = ""


def junit(name: str, results: Sequence[Result]) -> str:
    """The results as JUnit XML."""
    counts = {kind: sum(result.kind == kind for result in results) for kind in ("failure", "error")}
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', "<testsuites>"]
    lines.append(
        f'<testsuite name="{_xml(name)}" tests="{len(results)}" failures="{counts["failure"]}" '
        f'errors="{counts["error"]}" skipped="0" time="{sum(result.seconds for result in results):.3f}">'
    )
    for result in results:
        start = f'<testcase classname="{_xml(name)}" name="{_xml(result.claim)}" time="{result.seconds:.3f}"'
        if result.problem:
            first = _xml(result.problem.splitlines()[0])
            lines.append(f'{start}><{result.kind} message="{first}">{_xml(result.problem)}</{result.kind}></testcase>')
        else:
            lines.append(f"{start}/>")
    return "\n".join([*lines, "</testsuite>", "</testsuites>", ""])


def _run(check: Check, site: Site) -> Result:
    claim = (check.__doc__ or check.__name__).strip().splitlines()[0].rstrip(".")
    started = time.perf_counter()
    kind, problem = "", ""
    try:
        check(site)
    except UnmetError as unmet:
        kind, problem = "failure", str(unmet)
    except (OSError, http.client.HTTPException) as error:
        kind, problem = "error", f"{site.host}:{site.port} gave no answer: {error!r}"
    except Exception:  # A check that breaks must not keep the others from being run.
        kind, problem = "error", traceback.format_exc()
    return Result(claim=claim, seconds=time.perf_counter() - started, kind=kind, problem=problem)


def _xml(text: str) -> str:
    return html.escape(_NOT_XML.sub("?", text))
