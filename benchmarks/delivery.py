"""How often the whole delivery promotes good versions and catches bad ones: real builds, real traffic, the real judge.

Run: `python benchmarks/delivery.py [versions of each kind, default 20]`. One line of JSON per kind; status 1 unless every good
version was promoted and every bad one caught where it must be, with production left as it was.

Each round pushes four new versions of the demo's shop: a good one, one with 5 % errors, one with half the orders, one that
fails its smoke test. They are delivered side by side by the demo's pipeline, each on a staging of its own and with a
baseline and a canary of its own that get equal parts of production's traffic, enough of it for the judge; where the machine
can't carry that, one after the other. The good version is released after all canaries of the round are over, so that no
baseline changes under a canary; it is what the next round is compared with.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from importlib.resources import files
from pathlib import Path

import msgspec

from gennaker.demo import pipelines, reckoning, versions, watching
from gennaker.demo.repository import DemoRepository
from gennaker.demo.server import DemoServer
from gennaker.demo.watching import Watcher
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import mappings_at
from gennaker.model.problems import Refused
from gennaker.transport import ports

_RATE = 600.0
_MOST_PERCENT_IN_ALL = 90.0
_SECRET = "shared by repository and trigger"  # noqa: S105 - on loopback, for this run only
_GRACE = "PT0S"
_BUILT_WITHIN = 240.0
_DELIVERED_WITHIN = 600.0


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """A kind of version and what must become of it."""

    name: str
    behaviour: dict[str, object]
    caught_by: str = ""
    """Name of the stage that must fail; empty: none may."""

    @property
    def has_canary(self) -> bool:
        """It gets as far as the canary."""
        return self.caught_by != "Smoke test"


_WELL: dict[str, object] = {"ERROR_PERCENT": 0, "OFFER_PERCENT": 40, "IS_HEALTHY": True}
KINDS = (
    Kind(name="good", behaviour=_WELL),
    Kind(name="errors", behaviour={**_WELL, "ERROR_PERCENT": 5}, caught_by="Canary"),
    Kind(name="orders", behaviour={**_WELL, "OFFER_PERCENT": 20}, caught_by="Canary"),
    Kind(name="unhealthy", behaviour={**_WELL, "IS_HEALTHY": False}, caught_by="Smoke test"),
)


class Delivered(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one version."""

    kind: str
    is_right: bool
    why: str
    seconds: float


class Benchmark:
    """A server, a repository, visitors."""

    def __init__(self, folder: Path) -> None:
        """Nothing runs yet."""
        api = ports.free(f"{folder}/api")
        registry = ports.free(f"{folder}/registry", {api})
        balancers = ("shop-prod", *(f"shop-staging-{kind.name}" for kind in KINDS))
        settings = (f"load-balancers.{name}.provider=caddy" for name in balancers)
        self._folder = folder
        self._server = DemoServer(folder / "data", (f"server.port={api}", f"registry.port={registry}", *settings))
        self._repository = DemoRepository(folder)
        self._load: subprocess.Popen[bytes] | None = None
        self._round = 0
        self._is_side_by_side = True

    def begin(self) -> None:
        """The first version serves, visitors come, pipelines are saved."""
        self._client = self._server.start()
        self._watcher = Watcher(self._client, lambda _: None)
        webhook = f"{self._client.address}/webhooks/git/github"
        self._repository.create(webhook=webhook, secret=_SECRET)
        bare = str(self._repository.bare)
        self._save(pipelines.build("shop", repository=bare, secret=_SECRET, depends_on=("libs/storefront",)))
        self._save(pipelines.first_release("shop", grace_period=_GRACE))
        config: Json = msgspec.json.decode((files("gennaker.demo") / "canary_config.json").read_bytes())
        assert isinstance(config, dict)
        self._client.post("/api/v1/canary-configs", config)
        image = self._built("Begin")
        first: JsonObject = {"parameters": {"image": image["pinned"], "version": image["tag"]}}
        self._ended(self._start("first-release-shop", first))
        rate = self._visitors_come()
        percent = float(-(-100 * reckoning.NEEDED_PER_GROUP // rate))
        groups = 2 * sum(kind.has_canary for kind in KINDS)
        self._is_side_by_side = percent * groups <= _MOST_PERCENT_IN_ALL
        percent = min(max(percent, 10.0), _MOST_PERCENT_IN_ALL / (groups if self._is_side_by_side else 2))
        for kind in KINDS:
            self._save(_lane(kind.name, percent))
        print(
            json.dumps({"requestsPerSecond": rate, "percent": percent, "sideBySide": self._is_side_by_side}), flush=True
        )

    def round(self) -> list[Delivered]:
        """One version of each kind."""
        self._round += 1
        images = {kind.name: self._changed(kind) for kind in KINDS}
        serving = watching.served_version(self._address())
        batches = [KINDS] if self._is_side_by_side else [(kind,) for kind in reversed(KINDS)]
        found: list[Delivered] = []
        promising: list[tuple[Kind, str, float]] = []
        for batch in batches:
            began = time.monotonic()
            started = [(kind, self._start(f"deliver-{kind.name}", _trigger(images[kind.name]))) for kind in batch]
            for kind, execution in started:
                waiting = self._watcher.judgment_in(execution, within=_DELIVERED_WITHIN)
                if waiting is not None:
                    promising.append((kind, execution, began))
                else:
                    found.append(self._stopped(kind, execution, serving, began))
        # The good one last: should a bad one have come this far too, that is what production must not be left with.
        for kind, execution, began in sorted(promising, key=lambda one: not one[0].caught_by):
            found.append(self._let_through(kind, execution, images[kind.name], began))
        return found

    def log_tail(self) -> str:
        """The end of the server's log."""
        return self._server.log_tail()

    def end(self) -> None:
        """Leaves nothing running."""
        if self._load is not None:
            self._load.terminate()
            self._load.wait(20)
        self._server.stop_everything()

    def _stopped(self, kind: Kind, execution: str, serving: str, began: float) -> Delivered:
        ended = self._ended(execution)
        failed = [name for name, status in watching.statuses(ended).items() if status == "TERMINAL"]
        now = watching.served_version(self._address())
        is_right = failed == [kind.caught_by] and now == serving
        why = f"{failed}, production serves {now}: {watching.problems(ended)}"
        return Delivered(kind=kind.name, is_right=is_right, why=why, seconds=time.monotonic() - began)

    def _let_through(self, kind: Kind, execution: str, image: JsonObject, began: float) -> Delivered:
        judgment = watching.waiting_judgment(self._watcher.execution(execution))
        assert judgment is not None
        answer = "stop" if kind.caught_by else "continue"
        self._client.post(f"/api/v1/executions/{execution}/stages/{judgment['id']}/judgment", {"judgment": answer})
        ended = self._ended(execution)
        now = watching.served_version(self._address())
        is_right = not kind.caught_by and ended["status"] == "SUCCEEDED" and now == image["tag"]
        why = f"asked for approval, then {ended['status']}, production serves {now}: {watching.problems(ended)}"
        return Delivered(kind=kind.name, is_right=is_right, why=why, seconds=time.monotonic() - began)

    def _changed(self, kind: Kind) -> JsonObject:
        headline = f"Round {self._round}, {kind.name}"
        versions.set_behaviour(self._repository.work, "shop", HEADLINE=headline, **kind.behaviour)
        return self._built(headline)

    def _built(self, message: str) -> JsonObject:
        known = {str(one["id"]) for one in self._watcher.executions("shop", "build-shop")}
        self._repository.commit(message)
        said = self._repository.push()
        assert not said, said
        begun = self._watcher.new_execution("shop", "build-shop", known=known, within=60)
        ended = self._watcher.end_of(str(begun["id"]), within=_BUILT_WITHIN)
        assert ended["status"] == "SUCCEEDED", watching.problems(ended)
        return reckoning.image_of(ended)

    def _visitors_come(self) -> float:
        log = self._folder / "load.jsonl"
        words = ["--url", f"http://{self._address()}", "--rate", str(_RATE), "--log", str(log)]
        self._load = subprocess.Popen([sys.executable, "-m", "gennaker.demo.load", *words])
        time.sleep(6)
        seconds = [json.loads(line).get("second", {}) for line in log.read_text().splitlines()]
        return float(min(second["requests"] for second in seconds[2:] if "requests" in second))

    def _start(self, name: str, trigger: JsonObject) -> str:
        return reckoning.text(
            self._client.post(f"/api/v1/applications/shop/pipelines/{name}/start", trigger), "executionId"
        )

    def _ended(self, execution: str) -> JsonObject:
        return self._watcher.end_of(execution, within=_DELIVERED_WITHIN)

    def _save(self, pipeline: JsonObject) -> None:
        self._client.post("/api/v1/pipelines", pipeline)

    def _address(self) -> str:
        found = self._client.get("/api/v1/traffic")
        balancers = mappings_at(found, "loadBalancers")
        return next(str(one["address"]) for one in balancers if one["name"] == "shop-prod")


def _lane(name: str, percent: float) -> JsonObject:
    """The demo's delivery on a staging, a baseline and a canary of its own, started by hand, telling nobody."""
    found = _on_its_own(pipelines.delivery_of_shop(traffic_percent=percent, grace_period=_GRACE, webhook=""), name)
    assert isinstance(found, dict)
    return {**found, "name": f"deliver-{name}", "triggers": []}


def _on_its_own(value: Json, lane: str) -> Json:
    own: dict[Json, Json] = {"shop-staging": f"shop-staging-{lane}", "staging": f"staging{lane}"}
    match value:
        case list():
            return [_on_its_own(item, lane) for item in value]
        case dict():
            kept = {key: item for key, item in value.items() if key not in ("notifications", "sendNotifications")}
            found = {key: _on_its_own(item, lane) for key, item in kept.items()}
            if "freeFormDetails" in found:
                found["freeFormDetails"] = f"{found['freeFormDetails']}-{lane}"
            return found
        case str():
            return own.get(value, value)
        case _:
            return value


def _trigger(image: JsonObject) -> JsonObject:
    artifact: JsonObject = {
        "type": "docker/image",
        "name": str(image["reference"]).rpartition(":")[0],
        "version": image["tag"],
        "reference": image["pinned"],
    }
    return {"tag": image["tag"], "digest": image["digest"], "artifacts": [artifact]}


def main() -> int:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rounds", nargs="?", type=int, default=20, help="versions of each kind")
    rounds = parser.parse_args().rounds
    right: Counter[str] = Counter()
    with tempfile.TemporaryDirectory(prefix="gennaker-bench-") as folder:
        benchmark = Benchmark(Path(folder))
        try:
            benchmark.begin()
            for number in range(rounds):
                for one in benchmark.round():
                    right[one.kind] += one.is_right
                    if not one.is_right:
                        print(json.dumps({"round": number + 1, "kind": one.kind, "wrong": one.why}), flush=True)
                print(json.dumps({"round": number + 1, "right": dict(right)}), file=sys.stderr, flush=True)
        except Refused as refused:
            print(f"{refused}\n{benchmark.log_tail()}", file=sys.stderr)
            return 1
        finally:
            benchmark.end()
    for kind in KINDS:
        outcome = "caught" if kind.caught_by else "promoted"
        print(json.dumps({"kind": kind.name, outcome: right[kind.name], "of": rounds}))
    return 0 if all(right[kind.name] == rounds for kind in KINDS) else 1


if __name__ == "__main__":
    sys.exit(main())
