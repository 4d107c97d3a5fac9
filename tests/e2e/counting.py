"""Counting: what a told story has left behind, read where it is, in a form that two tellings can be compared by."""

import json
import math
import os
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import quote

import httpx2
from tests.e2e.normalising import Normaliser, in_order
from tests.e2e.shop_story import ShopStory

from gennaker.model.codec import Json, JsonObject
from gennaker.transport import tls

_UNAVAILABLE = (502, 503, 504)
_FOREIGN_CONTENT = {"rootfs", "files", "workspace", "history"}
_TO_THE_CONSOLE = re.compile(r"/notify/manualJudgment/[\d.]+/2$")
"""The third notification of the approval stage goes to the server's log, where nobody counts it."""
_MANIFESTS = "application/vnd.oci.image.manifest.v1+json, application/vnd.oci.image.index.v1+json"


def result(story: ShopStory) -> JsonObject:
    """Executions, releases, traffic, audit: everything that the server says, normalised."""
    normaliser = Normaliser(story.folder)
    # In the order of their names: which of two that run side by side was submitted first is chance.
    by_name = sorted(story.executions(), key=lambda one: str(one["name"]))
    executions: list[Json] = [normaliser.value(one) for one in by_name]
    releases = normaliser.value(story.client.get("/api/v1/applications/shop/releases"))
    audit = [normaliser.value(entry) for entry in audit_entries(story)]
    return {"executions": executions, "releases": releases, "audit": in_order(audit)}


def audit_entries(story: ShopStory) -> list[Json]:
    """What was recorded, without the chain."""
    entries: list[Json] = []
    after = 0
    while True:
        answer = story.client.get("/api/v1/audit", after=str(after), limit="1000")
        assert isinstance(answer, dict)
        records = answer["records"]
        assert isinstance(records, list)
        if not records:
            return entries
        for record in records:
            assert isinstance(record, dict)
            entries.append(record["entry"])
            assert record["number"] == after + 1, "the audit's numbers have a gap"
            after += 1


def registry(story: ShopStory) -> dict[str, dict[str, str]]:
    """Digests by tag by repository, asked of the registry itself. Not normalised: the same commit has the same digest."""
    found: dict[str, dict[str, str]] = {}
    with httpx2.Client(
        base_url=f"http://{story.registry_host}/v2", trust_env=False, verify=tls.trusted(), timeout=300
    ) as http:
        for name in http.get("/_catalog").json()["repositories"]:
            tags = http.get(f"/{quote(name)}/tags/list").json()["tags"]
            found[name] = {tag: _digest(http, name, tag) for tag in tags}
    return found


def starts(story: ShopStory) -> Counter[str]:
    """How often each server group and job was started, as the started programs noted it."""
    return Counter(str(one["what"]) for one in story.starts_noted())


def switches(story: ShopStory) -> list[dict[str, int]]:
    """Each switch of production's traffic: smallest whole parts by server group, as Caddy was told.

    Baseline and canary join side by side: which of them is first, and whether both come in one switch, is chance. So what
    is between having neither and having both isn't counted.
    """
    groups = {f"127.0.0.1:{one['port']}": str(one["what"]) for one in story.starts_noted() if one.get("port")}
    found: list[dict[str, int]] = []
    for seen in story.switches.seen:
        counts = Counter(groups.get(address, address) for address in seen)
        parts = {name: count // math.gcd(*counts.values()) for name, count in sorted(counts.items())}
        is_between = len({name for name in parts if "baseline" in name or "canary" in name}) == 1
        if not is_between and found[-1:] != [parts]:
            found.append(parts)
    return found


def notifications(story: ShopStory) -> Counter[str]:
    """How often each mail came and each webhook was called, by delivery id."""
    mails = (str(mail["X-Gennaker-Delivery"]).strip() for mail in story.mail.mails)
    calls = (str(body["deliveryId"]) for body in story.hooks.received)
    return Counter((*mails, *calls))


def outcomes(audit: Iterable[Json]) -> dict[str, str]:
    """Outcomes of mails and webhooks as they were audited, by delivery id, which is their effect's key."""
    found = {
        str(entry["details"]["key"]): str(entry["details"]["outcome"])
        for entry in audit
        if isinstance(entry, dict) and entry["action"] == "notification.sent" and isinstance(entry["details"], dict)
    }
    return {key: outcome for key, outcome in found.items() if not _TO_THE_CONSOLE.search(key)}


def normalised_ids(story: ShopStory, ids: Iterable[str]) -> list[Json]:
    """Delivery ids in a form that can be compared."""
    return in_order(Normaliser(story.folder).value(one) for one in ids)


def trouble_of_visitors(story: ShopStory) -> list[str]:
    """Everything that a visitor must not meet: transport errors, 502, 503, 504, a second in which nobody was served."""
    found = []
    for line in story.visitors():
        second = line.get("second")
        is_bad = "transport_error" in line or line.get("error") in _UNAVAILABLE
        if is_bad or (isinstance(second, dict) and not second.get("requests")):
            found.append(json.dumps(line))
    return found


def open_to_others(story: ShopStory) -> list[str]:
    """Of the data folder what others than its owner may read or enter, wherever the folder is.

    What images and commits hold has the permissions that it has there; the folders in which they are have ours.
    """
    found = []
    for place, folders, files in os.walk(story.data):
        for name in (*folders, *files):
            path = Path(place) / name
            if not path.is_symlink() and path.stat().st_mode & 0o077:
                found.append(f"{path.stat().st_mode:o} {path.relative_to(story.data)}")
        # A copy that a kill has cut off has a number behind its name.
        folders[:] = [name for name in folders if name.partition(".")[0] not in _FOREIGN_CONTENT]
    return found


def requests(story: ShopStory) -> int:
    """How many the visitors have made."""
    total = story.visitors()[-1]["total"]
    assert isinstance(total, dict)
    return int(str(total["requests"]))


def _digest(http: httpx2.Client, name: str, tag: str) -> str:
    answer = http.get(f"/{quote(name)}/manifests/{tag}", headers={"Accept": _MANIFESTS})
    assert answer.status_code == httpx2.codes.OK, answer.text
    return str(answer.headers["Docker-Content-Digest"])
