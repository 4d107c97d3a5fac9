"""The story that the kill test tells twice: two versions of the shop from push to production, the second one rolled back.

All parts are those of the demo: a git repository with its hook, the server as a process, its registry, instances, Caddy, a
mail server, a webhook receiver, visitors. What happens is counted where it happens: each start of an instance or a job by
the program that is started, switches of traffic in what Caddy reads, mails and calls at those who get them.
"""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from tests import waiting
from tests.e2e import shop_pipelines
from tests.e2e.forked_server import ForkedServer
from tests.e2e.patient import PatientClient, Supervisor

from gennaker.demo import versions, watching
from gennaker.demo.repository import DemoRepository
from gennaker.demo.sinks import MailSink, WebhookSink
from gennaker.demo.watching import Watcher
from gennaker.model.codec import Json, JsonObject
from gennaker.transport import ports

SECRET = "shared by the repository and the trigger"
_RATE = 60.0
_WITHIN_SECONDS = waiting.IN_VAIN_SECONDS
_LOOKS_SECONDS = 0.01
_NOTHING = ("", 0)
_SETTLED_NANOSECONDS = 100_000_000
"""Times of files move in ticks of some milliseconds: what was written just now may have been written again in the same tick."""
_FINAL = frozenset({"SUCCEEDED", "TERMINAL", "CANCELED", "STOPPED", "SKIPPED", "FAILED_CONTINUE"})
_NOTING = """import json
import os
import sys

if __name__ == "__main__":
    with open(os.environ["STARTS"], "a") as starts:
        note = {"what": WHAT, "port": int(os.environ.get("PORT", "0"))}
        starts.write(json.dumps(note) + "\\n")

"""
"""Put before programs of the sample: each start notes itself, so that it is counted where it happens."""
_BUILD_FILE = """service: shop
version-file: VERSION
depends-on:
  - libs/storefront
steps:
  - name: Dependencies
    kind: dependencies
    run: rm -rf vendor && mkdir -p vendor reports && cp -R ../../libs/storefront/storefront vendor/
    timeout: 600
  - name: Unit tests
    kind: unit-tests
    run: PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 python3 -m pytest -q tests/unit --junit-xml reports/unit.xml
    timeout: 600
    reports: {junit: reports/unit.xml}
  - name: Components
    kind: sbom
    components: components.yaml
image:
  name: shop
  dockerfile: Dockerfile
  context: .
  tag: "{version}-{short_sha}"
"""


class ShopStory:
    """One telling."""

    def __init__(self, folder: Path, *, kill_points: tuple[str, ...]) -> None:
        """In an empty folder. `kill_points`: where the server is killed, each once."""
        folder.mkdir(parents=True)
        self.folder = folder
        self.data = folder / "data"
        self.plan = folder / "kill-points"
        self.plan.write_text("\n".join(kill_points))
        self.starts = folder / "starts.jsonl"
        self.mail = MailSink()
        self.hooks = WebhookSink()
        self.repository = DemoRepository(folder)
        self._load: subprocess.Popen[bytes] | None = None
        self._image: JsonObject = {}
        api = ports.free(f"{folder}/api")
        registry = ports.free(f"{folder}/registry", {api})
        self.registry_host = f"127.0.0.1:{registry}"
        self._server = ForkedServer(
            self.data,
            (
                f"server.port={api}",
                f"registry.port={registry}",
                "mail.host=127.0.0.1",
                f"mail.port={self.mail.port}",
                f'webhook-hosts=["{self.hooks.host}"]',
                "load-balancers.shop-staging.provider=caddy",
                "load-balancers.shop-prod.provider=caddy",
            ),
        )
        self.supervisor = Supervisor(self._server, {"GENNAKER_TEST_KILL_POINTS": str(self.plan)})
        self.client = PatientClient(self.data, self.supervisor)
        self._watcher = Watcher(self.client, lambda _: None)  # type: ignore[arg-type]  # it only asks, as the client does
        self.switches = Switches(self.data / "caddy" / "banks" / "shop-prod")

    def tell(self) -> None:
        """All of it; whatever is wrong raises."""
        self.supervisor.start()
        self._set_the_stage()
        self._first_version()
        self._visitors_come()
        self._second_version()
        self._roll_back()
        self._change_of_mind()
        self._settle()

    def end(self) -> None:
        """Leaves nothing running."""
        self.supervisor.close()
        self.client.close()
        self.stop_visitors()
        self.switches.close()
        self._server.stop_everything()
        self.mail.close()
        self.hooks.close()

    def points_seen(self) -> list[str]:
        """All points that the server has reached, in order, over all its lives."""
        return Path(f"{self.plan}.seen").read_text().split()

    def executions(self) -> list[JsonObject]:
        """All executions, whole, in the order in which they were submitted."""
        found = _objects(self.client.get("/api/v1/executions", limit="200"), "executions")
        return [_object(self.client.get(f"/api/v1/executions/{one['id']}")) for one in reversed(found)]

    def stop_visitors(self) -> None:
        """No more visitors; their log is complete then."""
        if self._load is not None:
            self._load.terminate()
            self._load.wait(300)
            self._load = None

    def visitors(self) -> list[JsonObject]:
        """What the visitors have noted."""
        return [json.loads(line) for line in (self.folder / "load.jsonl").read_text().splitlines()]

    def starts_noted(self) -> list[JsonObject]:
        """What the started programs have noted."""
        return [json.loads(line) for line in self.starts.read_text().splitlines()] if self.starts.exists() else []

    # What people do

    def _set_the_stage(self) -> None:
        self.repository.create(webhook=f"{self.client.address}/webhooks/git/github", secret=SECRET)
        service = self.repository.work / "services" / "shop"
        for program, what in (
            ("__main__.py", 'os.environ["GENNAKER_SERVER_GROUP"]'),
            ("acceptance.py", '"job " + sys.argv[1]'),
        ):
            file = service / "shop" / program
            file.write_text(_NOTING.replace("WHAT", what) + file.read_text())
        (service / "build.yaml").write_text(_BUILD_FILE)
        self.repository.commit("Note every start")
        self.client.post("/api/v1/canary-configs", shop_pipelines.CANARY_CONFIG)
        self._save(
            shop_pipelines.of_first_version(
                repository=str(self.repository.bare), secret=SECRET, starts=str(self.starts)
            )
        )

    def _first_version(self) -> None:
        self._push()
        self._image = self._built(1)
        trigger: JsonObject = {
            # Named by who asks, so that asking again after no answer starts nothing more.
            "executionId": f"{0:025d}1",
            "parameters": {"image": self._image["pinned"], "version": self._image["tag"]},
        }
        self.client.post("/api/v1/applications/shop/pipelines/first-release-shop/start", trigger)
        self._ended("first-release-shop", 1)

    def _visitors_come(self) -> None:
        balancers = _objects(self.client.get("/api/v1/traffic"), "loadBalancers")
        address = next(str(one["address"]) for one in balancers if one["name"] == "shop-prod")
        words = ["--url", f"http://{address}", "--rate", str(_RATE), "--log", str(self.folder / "load.jsonl")]
        self._load = subprocess.Popen([sys.executable, "-m", "gennaker.demo.load", "--connections", "8", *words])
        self.switches.follow()

    def _second_version(self) -> None:
        webhook = f"http://{self.hooks.host}/deliveries"
        self._save(shop_pipelines.of_later_versions(webhook=webhook, starts=str(self.starts)))
        versions.set_behaviour(self.repository.work, "shop", HEADLINE="Hello and welcome to the shop")
        self.repository.commit("Say hello more warmly")
        self._push()
        self._built(2)
        delivery = self._nth("deliver-shop", 1)
        waiting = self._watcher.judgment_in(delivery, within=_WITHIN_SECONDS)
        assert waiting is not None, watching.problems(self._watcher.execution(delivery))
        judgment = watching.waiting_judgment(waiting)
        assert judgment is not None
        self.client.post_once(
            f"/api/v1/executions/{delivery}/stages/{judgment['id']}/judgment",
            {"judgment": "continue", "judgmentInput": "", "comment": "The canary looks well."},
            was_done=lambda: self._is_judged(delivery),
        )
        self._ended("deliver-shop", 1)
        self._ended("look-after-shop", 1)

    def _is_judged(self, delivery: str) -> bool:
        """Recorded, whether or not the stage has already gone on."""
        waiting = watching.waiting_judgment(self._watcher.execution(delivery))
        return waiting is None or bool(_object(waiting["context"]).get("judgmentStatus"))

    def _roll_back(self) -> None:
        self.client.post_once(
            "/api/v1/applications/shop/rollback",
            {"cluster": "shop-prod"},
            was_done=lambda: bool(self._named("Rolling shop-prod back")),
        )
        self._until(lambda: bool(self._named("Decommission")), "the rolled-back version to be decommissioned")

    def _change_of_mind(self) -> None:
        """A job is begun and then cancelled."""
        execution_id = f"{0:025d}2"
        trigger: JsonObject = {"executionId": execution_id, "parameters": {"image": self._image["pinned"]}}
        self.client.post("/api/v1/applications/shop/pipelines/endless-shop/start", trigger)
        self._until(lambda: any(one["what"] == "job endless" for one in self.starts_noted()), "the job to begin")
        # Its start is recorded a little after it has begun; cancelled before that, it would be another story.
        self._until(lambda: self._is_awaited(execution_id), "the job to be awaited")
        self.client.post_once(
            f"/api/v1/executions/{execution_id}/cancel",
            {"reason": "Nobody needs it."},
            was_done=lambda: bool(self._watcher.execution(execution_id)["isCanceled"]),
        )

    def _is_awaited(self, execution_id: str) -> bool:
        (stage,) = _objects(self._watcher.execution(execution_id), "stages")
        tasks = {task["name"]: task["status"] for task in _objects(stage, "tasks")}
        return tasks.get("waitOnJobCompletion") == "RUNNING"

    def _settle(self) -> None:
        """Nothing is under way any more: also what nobody waits for."""
        self._until(lambda: all(one["status"] in _FINAL for one in self._named("")), "everything to end")

    # Pieces

    def _save(self, saved: list[JsonObject]) -> None:
        for pipeline in saved:
            self.client.post("/api/v1/pipelines", pipeline)

    def _push(self) -> None:
        # Killed before each answer the hook gives up; that the push arrived all the same shows the build it has started.
        kills = self.supervisor.kills
        said = self.repository.push()
        assert not said or self.supervisor.kills > kills, said

    def _built(self, number: int) -> JsonObject:
        build = self._ended("build-shop", number)
        stages = _objects(build, "stages")
        return _object(_object(stages[0]["outputs"])["image"])

    def _ended(self, name: str, number: int) -> JsonObject:
        ended = self._watcher.end_of(self._nth(name, number), within=_WITHIN_SECONDS)
        assert ended["status"] == "SUCCEEDED", f"{name}: {watching.statuses(ended)} {watching.problems(ended)}"
        return ended

    def _nth(self, name: str, number: int) -> str:
        self._until(lambda: len(self._named(name)) >= number, f"{name} to start the {number}. time")
        return str(self._named(name)[-number]["id"])

    def _named(self, beginning: str) -> list[JsonObject]:
        """Executions whose names begin so, newest first."""
        found = _objects(self.client.get("/api/v1/executions", limit="200"), "executions")
        return [one for one in found if str(one["name"]).startswith(beginning)]

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        until = time.monotonic() + _WITHIN_SECONDS
        while not holds():
            assert time.monotonic() < until, f"waited {_WITHIN_SECONDS:.0f} s for {what}"
            time.sleep(0.2)


class Switches:
    """What Caddy is told of a load balancer's shares, every change of it, read where Caddy reads it."""

    def __init__(self, folder: Path) -> None:
        """`folder` of the load balancer's banks."""
        self.seen: list[tuple[str, ...]] = []
        """Addresses by turn, each time that they changed."""
        self._folder = folder
        self._known = _NOTHING
        """Bank, and when something was last written in it: of what was read."""
        self._is_ending = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def follow(self) -> None:
        """From now on."""
        self._thread.start()

    def close(self) -> None:
        """No more."""
        self._is_ending.set()
        if self._thread.is_alive():
            waiting.joined(self._thread)

    def _look(self) -> None:
        while not self._is_ending.wait(_LOOKS_SECONDS):
            found = self._present()
            if found is not None and (not self.seen or self.seen[-1] != found):
                self.seen.append(found)

    def _present(self) -> tuple[str, ...] | None:
        """None while a switch is under way, and where nothing was written since it was read."""
        bank = self._folder / "bank"
        try:
            before = bank.read_text()
            # Slots are renamed into place, which changes their folder's time.
            written = (self._folder / before).stat().st_mtime_ns if before.isdigit() else 0
            if (before, written) == self._known:
                return None
            files = sorted((self._folder / before).iterdir()) if before.isdigit() else []
            slots = [file for file in files if file.name.isdigit()]
            addresses = tuple(slot.read_text() for slot in slots)
            if bank.read_text() != before:
                return None
        except FileNotFoundError:
            return None
        is_settled = time.time_ns() - written > _SETTLED_NANOSECONDS
        self._known = (before, written) if is_settled else _NOTHING
        return addresses


def _object(value: Json) -> JsonObject:
    assert isinstance(value, dict), value
    return value


def _objects(value: Json, key: str) -> list[JsonObject]:
    found = _object(value)[key]
    assert isinstance(found, list), found
    return [_object(one) for one in found]
