"""Fuzzing: requests that the native API's OpenAPI document allows, and some that it doesn't, against a running server.

    python -m tests.fuzzing [--examples 200] [--seed 7]

Each operation gets so many requests, of whom half name things that are there. Whatever the server answers must be an answer: no
fault of its own, a problem document where it refuses, lists no longer than what was asked for. Streams, which never end, and
stopping are left out. Exit status 1: something was found, and is printed with the command that repeats it.
"""

import argparse
import contextlib
import json
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import schemathesis
from hypothesis import HealthCheck, Phase, Verbosity, given, seed, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode

from gennaker.demo.server import DemoServer
from gennaker.transport import tls
from gennaker.transport.client import Client

LEFT_OUT = frozenset({"GET /api/v1/events", "GET /api/v1/executions/{execution_id}/log", "POST /api/v1/stop"})
WITHOUT_PAGES = {"stageTypes", "deliveries", "others", "warnings", "stages"}
"""Lists that aren't cut: as long as the plugins, an execution or a body that was sent make them (decision 35)."""
_MOST_OF_A_PAGE = 1_000
_MOST_BYTES = 5_000_000
_SECONDS = 600.0
_PIPELINE = {
    "id": "known",
    "application": "known",
    "name": "known",
    "stages": [{"refId": "1", "type": "manualJudgment", "name": "Judge"}],
}


class Finding(AssertionError):
    """An answer that isn't one."""


class Fuzz:
    """Requests to one server, and what its answers were."""

    def __init__(self, data: Path) -> None:
        """Of the server of a data folder, in which it puts what the requests name."""
        with contextlib.closing(Client(data)) as client:
            self._address = client.address
            client.post("/api/v1/pipelines", _PIPELINE)
            started = client.post("/api/v1/applications/known/pipelines/known/start", {})
            assert isinstance(started, dict)
            self._known = {
                "application": "known",
                "definition_id": "known",
                "execution_id": str(started["executionId"]),
                "kind": "pipelines",
                "name": "known",
                "name_or_id": "known",
                "revision": 1,
                "stage_id": "1",
            }
            document = client.get("/api/v1/schema/openapi.json")
        assert isinstance(document, dict)
        self._document = document
        headers = {"Authorization": f"Bearer {(data / 'token').read_text().strip()}"}
        self._http = httpx2.Client(
            base_url=self._address, headers=headers, timeout=_SECONDS, trust_env=False, verify=tls.trusted()
        )
        self.statuses: Counter[int] = Counter()

    def close(self) -> None:
        self._http.close()

    def findings(self, *, examples: int, of: int) -> Iterator[str]:
        """What was found, each operation's first; `of`: the seed."""
        schema = schemathesis.openapi.from_dict(self._document)
        schema.config.update(base_url=self._address)  # for the commands that repeat a finding
        for found in schema.get_all_operations():
            operation = found.ok()
            assert operation is not None
            if f"{operation.method.upper()} {operation.path}" in LEFT_OUT:
                continue
            cases = st.one_of(operation.as_strategy(), operation.as_strategy(GenerationMode.NEGATIVE))

            @seed(of)
            @settings(
                max_examples=examples,
                database=None,
                deadline=None,
                phases=[Phase.generate],
                verbosity=Verbosity.quiet,
                suppress_health_check=[*HealthCheck],
                print_blob=False,
            )
            @given(case=cases, is_known=st.booleans())
            def ask(case: Case, is_known: bool) -> None:
                if is_known:
                    case.path_parameters = {
                        name: self._known.get(name, value) for name, value in (case.path_parameters or {}).items()
                    }
                self._ask(case)

            try:
                ask()
            except Finding as finding:
                yield str(finding)

    def is_well(self) -> bool:
        """Whether the server still works, and has recorded everything in its chain."""
        ready = self._http.get("/health/ready").status_code
        return ready == httpx2.codes.OK and self._http.get("/api/v1/audit/verify").json().get("isIntact") is True

    def _ask(self, case: Case) -> None:
        prepared = case.as_transport_kwargs(base_url=self._address)
        wanted = {key: prepared[key] for key in ("json", "data", "params") if prepared.get(key) is not None}
        if "data" in wanted:
            wanted["content"] = wanted.pop("data")
        headers = {key: value for key, value in prepared["headers"].items() if key.lower() != "authorization"}
        try:
            request = self._http.build_request(prepared["method"], prepared["url"], headers=headers, **wanted)
        except (httpx2.InvalidURL, UnicodeEncodeError, TypeError):
            return  # that no client can send
        try:
            answer = self._http.send(request)
        except httpx2.LocalProtocolError:
            return  # neither
        except httpx2.TransportError as error:
            raise Finding(f"{error!r}\n{case.as_curl_command()}") from error
        self.statuses[answer.status_code] += 1
        wrong = wrong_with(answer)
        if wrong:
            raise Finding(f"{wrong}\n{answer.status_code} {answer.text[:2_000]}\n{case.as_curl_command()}")


def wrong_with(answer: httpx2.Response) -> str:
    """Why this is no answer; empty: it is one."""
    if answer.status_code >= httpx2.codes.INTERNAL_SERVER_ERROR:
        return "a fault of the server's"
    if len(answer.content) > _MOST_BYTES:
        return f"{len(answer.content)} bytes"
    kind = answer.headers.get("content-type", "")
    if answer.status_code >= httpx2.codes.BAD_REQUEST:
        return "" if kind == "application/problem+json" and _has_problems(answer.json()) else "no problem document"
    body: Any = answer.json() if kind == "application/json" and answer.content else None
    for name, value in body.items() if isinstance(body, dict) else ():
        if isinstance(value, list) and name not in WITHOUT_PAGES and len(value) > _MOST_OF_A_PAGE:
            return f"{len(value)} items in {name}"
    return ""


def _has_problems(body: Any) -> bool:
    if not isinstance(body, dict) or not {"type", "title", "status", "detail", "code"} <= set(body):
        return False
    problems = body.get("problems")
    return isinstance(problems, list) and bool(problems) and all(one.get("message") for one in problems)


def main(arguments: list[str]) -> int:
    """Fuzzes a server of its own; exit status 1 where something was found."""
    parser = argparse.ArgumentParser(description="Sends made-up requests to a server of its own.")
    parser.add_argument("--examples", type=int, default=200, help="requests of each operation")
    parser.add_argument("--seed", type=int, default=1, help="another one makes other requests")
    given_words = parser.parse_args(arguments)
    print(f"seed {given_words.seed}, {given_words.examples} requests of each operation", flush=True)
    with tempfile.TemporaryDirectory(prefix="gennaker-fuzz-") as folder:
        server = DemoServer(Path(folder) / "data", ("server.port=0", "registry.port=0"))
        try:
            server.start().close()
            fuzz = Fuzz(server.data)
            count = 0
            for finding in fuzz.findings(examples=given_words.examples, of=given_words.seed):
                count += 1
                print(f"\n{finding}", flush=True)
            is_well = fuzz.is_well()
            fuzz.close()
        finally:
            server.stop_everything()
    print(f"{count} findings; answers: {json.dumps(dict(sorted(fuzz.statuses.items())))}; well afterwards: {is_well}")
    return 1 if count or not is_well else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
