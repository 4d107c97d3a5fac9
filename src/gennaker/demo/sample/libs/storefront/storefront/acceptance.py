"""Acceptance tests without a framework: run functions against an address, write JUnit XML, say what failed."""

import argparse
import json
import sys
import time
import traceback
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from xml.sax.saxutils import quoteattr

Case = Callable[["Site"], None]


class Site:
    """A deployed service."""

    def __init__(self, base_url: str) -> None:
        self.base_url = base_url.rstrip("/")

    def get(self, path: str) -> tuple[int, dict[str, str], object]:
        """Status, headers and JSON of a GET."""
        return self._open(urllib.request.Request(self.base_url + path))  # noqa: S310

    def post(self, path: str, body: Mapping[str, object]) -> tuple[int, dict[str, str], object]:
        """Status, headers and JSON of a POST."""
        data = json.dumps(body).encode()
        request = urllib.request.Request(self.base_url + path, data=data, method="POST")  # noqa: S310
        request.add_header("Content-Type", "application/json")
        return self._open(request)

    def _open(self, request: urllib.request.Request) -> tuple[int, dict[str, str], object]:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # nosec B310
                return answer.status, {k.lower(): v for k, v in answer.headers.items()}, _json(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, {k.lower(): v for k, v in error.headers.items()}, _json(error.read())


def main(suites: Mapping[str, Sequence[Case]], arguments: Sequence[str] | None = None) -> int:
    """Runs one suite; 0 if all of it passed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("suite", choices=sorted(suites))
    parser.add_argument("--base-url", required=True)
    parser.add_argument("--junit", type=Path)
    given = parser.parse_args(arguments)
    base_url = given.base_url if "://" in given.base_url else f"http://{given.base_url}"
    results = [(case.__name__, *_run(case, Site(base_url))) for case in suites[given.suite]]
    if given.junit:
        given.junit.write_text(_junit(given.suite, results), encoding="utf-8")
    failures = [(name, failure) for name, _, failure in results if failure]
    for name, failure in failures:
        sys.stdout.write(f"FAILED {name}\n{failure}\n")
    sys.stdout.write(f"{len(results) - len(failures)} passed, {len(failures)} failed\n")
    return 1 if failures else 0


def _run(case: Case, site: Site) -> tuple[float, str]:
    began = time.perf_counter()
    try:
        case(site)
    except Exception:  # noqa: BLE001 - whatever goes wrong fails the case
        return time.perf_counter() - began, traceback.format_exc()
    return time.perf_counter() - began, ""


def _junit(suite: str, results: Sequence[tuple[str, float, str]]) -> str:
    cases = []
    for name, seconds, failure in results:
        inner = f"<failure message={quoteattr(failure.strip().splitlines()[-1])}>{_escaped(failure)}</failure>" if failure else ""
        cases.append(f'<testcase classname="{suite}" name="{name}" time="{seconds:.3f}">{inner}</testcase>')
    failed = sum(1 for _, _, failure in results if failure)
    return f'<testsuite name="{suite}" tests="{len(results)}" failures="{failed}">{"".join(cases)}</testsuite>\n'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(body: bytes) -> object:
    try:
        return json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
