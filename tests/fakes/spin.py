"""The reading rules of Spinnaker's command line `spin`: what it takes for a success, and what it can't read.

It asks for the version before each command, decodes by content type, compares statuses exactly, polls tasks.
"""

import asyncio
from typing import Any
from urllib.parse import urlencode

from tests.fakes.website import Answer, Website

_DONE = ("SUCCEEDED", "STOPPED", "SKIPPED", "TERMINAL", "FAILED_CONTINUE")
_GOOD = ("SUCCEEDED", "STOPPED", "SKIPPED")


class SpinError(Exception):
    """It has ended with 1; the text is what it says."""


class Spin:
    """One command at a time."""

    def __init__(self, site: Website, headers: dict[str, str] | None = None) -> None:
        """`headers`: those of its configured sign-in, which it sends with every call."""
        self._site = site
        self._headers = headers or {}
        self._cookies: dict[str, str] = {}

    async def ask(self, method: str, path: str, body: Any = None, *, wants: int = 200) -> Any:
        """One command of one call: what it reads. Fails with the status that it would tell apart."""
        version = await self._call("GET", "/version", None)
        if version.status != 200:
            raise SpinError(f"{version.status} Could not reach Gate: {version.body.decode()}")
        assert _read(version)["version"] == "1.2.3"
        answer = await self._call(method, path, body)
        if answer.status != wants:
            raise SpinError(f"{answer.status} {answer.body.decode()}")
        return _read(answer)

    async def refused(self, method: str, path: str, body: Any = None, *, wants: int = 200) -> int:
        """The status of a command that must fail."""
        try:
            await self.ask(method, path, body, wants=wants)
        except SpinError as error:
            return int(str(error).split()[0])
        raise AssertionError(f"{method} {path} was taken for a success")

    async def do(self, application: str, description: str, job: dict[str, Any], **keys: Any) -> Any:
        """A command that submits a job: followed to its end."""
        request = {"application": application, "description": description, "job": [job], **keys}
        ref = (await self.ask("POST", "/tasks", request))["ref"]
        for pause in (0, 1, 4, 9, 16, 20):
            await asyncio.sleep(pause)
            task = _read(await self._call("GET", ref, None))
            if task["status"] in _DONE:
                break
        if task["status"] not in _GOOD:
            raise SpinError(f"0 Encountered an error saving application, task output was: {task}")
        return task

    async def sign_in(self, name: str, password: str) -> None:
        """Of its section `ldap`: the form, whose answer's status it ignores; what it keeps are the cookies."""
        form = {"content-type": "application/x-www-form-urlencoded"}
        fields = urlencode({"username": name, "password": password}).encode()
        self._keep(await self._site.call("POST", "/login", token=None, raw=fields, headers={**self._all(), **form}))

    async def _call(self, method: str, path: str, body: Any) -> Answer:
        answer = await self._site.call(method, path, token=None, json=body, headers=self._all())
        self._keep(answer)
        return answer

    def _keep(self, answer: Answer) -> None:
        name, _, value = answer.headers.get("set-cookie", "").split(";")[0].partition("=")
        if name:
            self._cookies[name] = value

    def _all(self) -> dict[str, str]:
        cookies = {"cookie": "; ".join(map("=".join, self._cookies.items()))} if self._cookies else {}
        return {"user-agent": "Spin-CLI/1.30.0", "accept": "*/*", **self._headers, **cookies}


def _read(answer: Answer) -> Any:
    """What isn't named JSON it takes for nothing, without a word."""
    assert answer.headers["x-spinnaker-request-id"]
    if not answer.body:
        return None
    assert answer.headers["content-type"].startswith("application/json"), answer.headers
    return answer.json
