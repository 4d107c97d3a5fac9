"""The story that `gennaker demo` tells: one good change all the way to production, three bad ones as far as they may come.

Everything in it is real: a git repository that is pushed to, a server started as anybody would start it, images in a registry,
processes behind a load balancer, visitors all the time. The story only does what people do (commits, pushes, approves, rolls
back) and looks from outside whether what must happen happens. Exit status 0 only if all of it did.
"""

import hashlib
import hmac
import json
import os
import subprocess
import time
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import httpx2
import msgspec

from gennaker.demo import own_folder, pipelines, reckoning, staying, telling, versions, watching
from gennaker.demo.cart_clients import HoldingOn
from gennaker.demo.repository import DemoRepository
from gennaker.demo.server import DemoServer
from gennaker.demo.sinks import MailSink, WebhookSink
from gennaker.demo.visitors import Visitors
from gennaker.demo.watching import Watcher
from gennaker.demo.where import PROCESSES, Where
from gennaker.model.codec import Json, JsonObject
from gennaker.model.foreign import mappings_at
from gennaker.model.problems import Problem, Refused
from gennaker.transport import tls
from gennaker.transport.client import Client

_SECRET = "a secret that the repository and the trigger share"  # noqa: S105 - the demo's own, on loopback
_GRACE = "PT1H"
_MOST_MEMORY_BYTES = 200_000_000
_DEPENDS_ON = ("libs/storefront",)
_SLOW_SECONDS = 30.0
_ARRIVES_WITHIN_SECONDS = 60.0


class _CartChange(msgspec.Struct, frozen=True, kw_only=True):
    """A change of the cart that is on its way."""

    address: str
    clients: HoldingOn
    tag: str
    delivery: str


class Story:
    """The people and machines of the story."""

    def __init__(
        self,
        folder: Path,
        teller: telling.Teller,
        *,
        config: Path | None = None,
        flags: tuple[str, ...] = (),
        rate: float,
        where: Where = PROCESSES,
    ) -> None:
        """Nothing runs yet; the services will run `where` it says and get `rate` requests a second."""
        self._teller = teller
        self._where = where
        self._mail = MailSink()
        self._hooks = WebhookSink()
        self._own = folder / own_folder.OWN
        self._server = DemoServer(folder, (*self._settings(), *flags), config=config)
        self._repository = DemoRepository(self._own)
        self._visitors = Visitors(rate=rate)
        self._meter: watching.Meter | None = None
        self._client: Client
        self._watcher: Watcher
        self._report: list[tuple[str, ...]] = []
        self._good_change_took = 0.0, 0.0
        """Seconds, and the machine's load at its end."""

    def tell(self) -> None:
        """From nothing to the report."""
        teller = self._teller
        teller.title("A storefront, from nothing")
        self._begin()
        self._first_release()
        self._visitors_come()
        teller.title("A good change goes all the way")
        self._good_change()
        teller.title("Three bad changes, and the cart is updated meanwhile while people hold on to it")
        cart = self._cart_begins()
        self._bad_change("errors on 5 % of requests", "Canary", {"ERROR_PERCENT": 5})
        self._cart_ends(cart)
        self._bad_change(
            "answers 200 everywhere, but half the orders", "Canary", {"ERROR_PERCENT": 0, "OFFER_PERCENT": 20}
        )
        self._bad_change("says that it is not healthy", "Smoke test", {"OFFER_PERCENT": 40, "IS_HEALTHY": False})
        teller.title("Second thoughts, a forger, and the books")
        self._roll_back()
        self._forger()
        self._books()
        self._tell_report()

    def stay(self) -> None:
        """Leaves everything running until Ctrl-C; visitors come again, as canaries need them."""
        self._visitors.come(self._address("shop-prod"), self._own / "load-afterwards.jsonl")
        staying.until_ctrl_c(self._server, self._client, self._teller)

    def end(self) -> None:
        """Leaves nothing running. Raises Refused if something can't be ended."""
        if self._meter is not None:
            self._meter.close()
        self._visitors.leave()
        try:
            self._server.stop_everything()
        finally:
            self._mail.close()
            self._hooks.close()

    # Set-up

    def _settings(self) -> tuple[str, ...]:
        return (
            "server.port=0",
            "registry.port=0",
            "mail.host=127.0.0.1",
            f"mail.port={self._mail.port}",
            f'webhook-hosts=["{self._hooks.host}"]',
            *(
                f"load-balancers.{service}-{stack}.provider=caddy"
                for service in pipelines.SERVICES
                for stack in ("staging", "prod")
            ),
            *self._where.settings,
        )

    def _begin(self) -> None:
        with self._teller.step("Gennaker is started"):
            self._client = self._server.start()
            self._watcher = Watcher(self._client, self._teller.now)
            self._meter = watching.Meter(lambda: self._server.pid)
        if self._teller.console.is_terminal:
            link = self._client.post("/api/v1/links")
            self._teller.note(f"Watch it live: {link.get('url') if isinstance(link, dict) else ''}")
        with self._teller.step("A repository with two services and their library, and the pipelines that build them"):
            self._repository.create(webhook=f"{self._client.address}/webhooks/git/github", secret=_SECRET)
            for service in pipelines.SERVICES:
                self._save(
                    pipelines.build(
                        service, repository=str(self._repository.bare), secret=_SECRET, depends_on=_DEPENDS_ON
                    )
                )
                self._save(pipelines.first_release(service, grace_period=_GRACE, where=self._where))
            config: Json = msgspec.json.decode((files("gennaker.demo") / "canary_config.json").read_bytes())
            assert isinstance(config, dict)
            self._client.post("/api/v1/canary-configs", config)

    def _first_release(self) -> None:
        with self._teller.step("The first push builds both"):
            said = self._repository.push()
            builds = {service: self._built(service, set()) for service in pipelines.SERVICES}
        self._teller.check("the hook has told Gennaker of the push", holds=not said, found=said)
        with self._teller.step("The first images go to production"):
            for service, build in builds.items():
                image = reckoning.image_of(build)
                answer = self._client.post(
                    f"/api/v1/applications/{service}/pipelines/first-release-{service}/start",
                    {"parameters": {"image": image["pinned"], "version": image["tag"]}},
                )
                self._must_succeed(reckoning.text(answer, "executionId"), within=120)

    def _visitors_come(self) -> None:
        with self._teller.step("Visitors come"):
            log = self._own / "load.jsonl"
            self._visitors.come(self._address("shop-prod"), log)
            time.sleep(3)
            rate = reckoning.rate_of(log)
        percent = reckoning.share_needed(rate)
        self._teller.note(f"{rate:.0f} requests/s; baseline and canary get {percent:g} % each")
        webhook = f"http://{self._hooks.host}/deliveries"
        self._save(
            pipelines.delivery_of_shop(traffic_percent=percent, grace_period=_GRACE, webhook=webhook, where=self._where)
        )
        self._save(pipelines.delivery_of_cart(grace_period=_GRACE, where=self._where))

    # The good change

    def _good_change(self) -> None:
        teller = self._teller
        before = watching.served_version(self._address("shop-prod"))
        known = self._known("build-cart", "cart")
        began = time.monotonic()
        build, delivery = self._change("shop", "Say hello more warmly", {"HEADLINE": "Hello and welcome to the shop"})
        tag = str(reckoning.image_of(build)["tag"])
        teller.check("only what changed was built", holds=self._known("build-cart", "cart") == known)
        with teller.step(f"{tag}: staging, its tests and the canary"):
            waiting = self._watcher.judgment_in(str(delivery["id"]), within=240)
        if waiting is None:
            ended = self._watcher.execution(str(delivery["id"]))
            raise Refused(
                Problem(code="demo.good", message=f"The good version was not let through: {watching.problems(ended)}")
            )
        self._notified(tag)
        with teller.step(f"{tag}: approved and released, blue/green"):
            self._command("approve", str(delivery["id"]), "--comment", "The canary looks well.")
            ended = self._must_succeed(str(delivery["id"]), within=120)
        took = time.monotonic() - began
        self._tell_scores(tag, ended)
        now = watching.served_version(self._address("shop-prod"))
        teller.check(f"production serves {tag} instead of {before}", holds=now == tag, found=now)
        staging = self._mail.to(pipelines.STAGING_CHANNEL)
        teller.check("nobody on the staging channel was woken", holds=not staging, found=len(staging))
        self._good_change_took = took, os.getloadavg()[0]
        self._report.append(("good change", tag, "released", reckoning.scores(ended), f"{took:.0f} s"))

    def _notified(self, tag: str) -> None:
        until = time.monotonic() + _ARRIVES_WITHIN_SECONDS
        while time.monotonic() < until and not (self._mail.to(pipelines.APPROVERS) and self._hooks.at("/deliveries")):
            time.sleep(0.1)
        mails = self._mail.to(pipelines.APPROVERS)
        self._teller.check("the approvers got one mail", holds=len(mails) == 1, found=len(mails))
        hooks = [body for body in self._hooks.at("/deliveries") if body.get("moment") == "manualJudgment"]
        self._teller.check("the webhook was called once", holds=len(hooks) == 1, found=len(hooks))
        self._teller.note(f"{mails[0]['Subject']}" if mails else f"no mail about {tag}")

    # The cart

    def _cart_begins(self) -> "_CartChange":
        """Pushes a change of the cart while people hold on to it; the update then goes on by itself."""
        address = self._address("cart-prod")
        clients = HoldingOn(address, slow_seconds=_SLOW_SECONDS)
        time.sleep(1)
        build, delivery = self._change("cart", "Greet with more verve", {"GREETING": "Your cart, at last"})
        return _CartChange(
            address=address,
            clients=clients,
            tag=str(reckoning.image_of(build)["tag"]),
            delivery=str(delivery["id"]),
        )

    def _cart_ends(self, change: "_CartChange") -> None:
        """What has become of the change, and of those who held on."""
        teller, clients = self._teller, change.clients
        with teller.step(f"{change.tag}: staging, its tests and a rolling update of the cart") as step:
            ended = self._must_succeed(change.delivery, within=240)
            step.seconds = reckoning.seconds(ended)  # most of it went by with the bad change
        update = reckoning.seconds(watching.stage(ended, "Production"))
        teller.note(f"the rolling update itself took {update:.1f} s")
        with teller.step("those who held on are let go in their own time"):
            clients.end()
        teller.check(f"a {_SLOW_SECONDS:.0f} s export came whole", holds=clients.slow == "whole", found=clients.slow)
        in_order = clients.socket.startswith("closed in order")
        teller.check("a WebSocket was closed in order", holds=in_order, found=clients.socket)
        never_broken = clients.keep_alive == "never broken"
        teller.check("a keep-alive connection never broke", holds=never_broken, found=clients.keep_alive)
        now = watching.served_version(change.address)
        teller.check(f"the cart's production serves {change.tag}", holds=now == change.tag, found=now)
        self._report.append(
            ("cart, rolling", change.tag, "released", "", f"{step.seconds:.0f} s, the update {update:.1f} s")
        )

    # The bad ones

    def _bad_change(self, what: str, caught_by: str, behaviour: dict[str, object]) -> None:
        teller = self._teller
        address = self._address("shop-prod")
        before = watching.served_version(address)
        began = time.monotonic()
        build, delivery = self._change("shop", f"A version that {what}", behaviour)
        tag = str(reckoning.image_of(build)["tag"])
        with teller.step(f"{tag} ({what})"):
            ended = self._watcher.end_of(str(delivery["id"]), within=240)
        statuses = watching.statuses(ended)
        failed = [name for name, status in statuses.items() if status == "TERMINAL"]
        teller.check(f"{caught_by} has caught it", holds=failed == [caught_by], found=failed or statuses)
        asked = statuses.get("Approve")
        teller.check("nobody was asked to approve it", holds=asked == "NOT_STARTED", found=asked)
        now = watching.served_version(address)
        teller.check(f"production still serves {before}", holds=now == before, found=now)
        shares = self._shares("shop-prod")
        teller.check("all traffic is back on one server group", holds=len(shares) == 1, found=shares)
        teller.note(watching.reason(ended))
        if caught_by != "Canary":
            self._staging_was_told(tag)
        self._report.append(
            (what, tag, f"caught: {caught_by}", reckoning.scores(ended), f"{time.monotonic() - began:.0f} s")
        )

    def _staging_was_told(self, tag: str) -> None:
        until = time.monotonic() + _ARRIVES_WITHIN_SECONDS
        while time.monotonic() < until and not self._mail.to(pipelines.STAGING_CHANNEL):
            time.sleep(0.1)
        mails = self._mail.to(pipelines.STAGING_CHANNEL)
        self._teller.check(f"the staging channel was told of {tag}", holds=len(mails) == 1, found=len(mails))
        production = self._mail.to(pipelines.PRODUCTION_CHANNEL)
        self._teller.check("the production channel was not", holds=not production, found=len(production))

    # Second thoughts

    def _roll_back(self) -> None:
        address = self._address("shop-prod")
        releases = mappings_at(self._client.get("/api/v1/applications/shop/releases"), "releases")
        production = next(one for one in releases if one["cluster"] == "shop-prod" and one["state"] == "current")
        wanted = str(production["replacedVersion"])
        with self._teller.step(f"gennaker rollback shop --cluster shop-prod (to {wanted})"):
            command = self._spawn("rollback", "shop", "--cluster", "shop-prod")
            seconds = watching.seconds_until_only(address, wanted, began=self._asked_to_roll_back(), within=60)
            command.wait(60)
        aim = reckoning.rollback_aim(busy=os.getloadavg()[0], processors=os.cpu_count() or 1)
        self._teller.check(
            f"clients saw the old version again within {aim:.0f} s",
            holds=seconds is not None and seconds < aim,
            found=f"{seconds:.2f} s" if seconds else "not at all",
        )
        self._teller.note(f"{seconds:.2f} s after the server was asked" if seconds else "")

    def _asked_to_roll_back(self) -> float:
        """When the server has taken the command, by this process's clock: starting a program is not measured."""
        until = time.monotonic() + _ARRIVES_WITHIN_SECONDS
        while time.monotonic() < until:
            answer = self._client.get("/api/v1/executions", application="shop", limit="1")
            newest = mappings_at(answer, "executions")[0]
            if str(newest["name"]).startswith("Rolling shop-prod back"):
                ago = datetime.now(UTC) - datetime.fromisoformat(str(newest["buildTime"]))
                return time.monotonic() - ago.total_seconds()
            time.sleep(0.01)
        raise Refused(Problem(code="demo.rollback", message="The rollback has not begun."))

    def _forger(self) -> None:
        body = json.dumps(
            {
                "ref": "refs/heads/main",
                "after": "f" * 40,
                "before": "e" * 40,
                "repository": {"name": "storefront", "owner": {"name": "acme", "login": "acme"}},
                "commits": [],
            }
        ).encode()
        known = self._known("build-shop", "shop")
        signature = hmac.new(b"another secret", body, hashlib.sha256).hexdigest()
        with httpx2.Client(trust_env=False, verify=tls.trusted()) as http:
            answer = http.post(
                f"{self._client.address}/webhooks/git/github",
                content=body,
                headers={"X-Hub-Signature-256": f"sha256={signature}", "Content-Type": "application/json"},
            )
        unauthorised = httpx2.codes.UNAUTHORIZED
        self._teller.check("a forged push gets 401", holds=answer.status_code == unauthorised, found=answer.status_code)
        self._teller.check("and starts nothing", holds=self._known("build-shop", "shop") == known)

    def _books(self) -> None:
        done = self._spawn("audit", "verify", capture=True)
        said = (done.communicate(timeout=60)[0] or b"").decode().strip()
        self._teller.check("the audit log verifies", holds=done.returncode == 0, found=said)
        self._visitors.leave()
        load = reckoning.load_log(self._own / "load.jsonl")
        self._teller.note(f"{load.requests} requests, {load.requests_per_second}/s")
        self._teller.check("visitors saw no transport error", holds=not load.broken, found=load.broken[:3])
        self._teller.check("and no 502, 503 or 504", holds=not load.unavailable, found=load.unavailable[:3])
        bad = {row[1] for row in self._report if row[2].startswith("caught")}
        others = [line for line in load.failed if line["version"] not in bad]
        self._teller.check("every other error came from a bad version", holds=not others, found=others[:3])
        most = self._meter.most_bytes if self._meter else 0
        self._teller.check(
            f"the server needed {most / 1e6:.0f} MB at most (PSS)", holds=most <= _MOST_MEMORY_BYTES, found=most
        )

    def _tell_report(self) -> None:
        self._teller.table("What ran", ("change", "version", "outcome", "canary scores", "time"), self._report)
        if self._where is PROCESSES:  # elsewhere starting a container or a pod takes the time that it takes
            took, busy = self._good_change_took
            self._teller.say(f"  {reckoning.against_aim(took, busy=busy, processors=os.cpu_count() or 1)}")
        self._teller.note(f"all in all {self._teller.seconds:.0f} s")

    # Pieces

    def _change(self, service: str, message: str, behaviour: dict[str, object]) -> tuple[JsonObject, JsonObject]:
        """Commits and pushes a change of a service; returns its build, ended, and its delivery, begun."""
        builds = self._known(f"build-{service}", service)
        deliveries = self._known(f"deliver-{service}", service)
        with self._teller.step(f"“{message}” is pushed and built"):
            versions.set_behaviour(self._repository.work, service, **behaviour)
            self._repository.commit(message)
            said = self._repository.push()
            if said:
                raise Refused(Problem(code="demo.push", message=said))
            build = self._built(service, builds)
            delivery = self._watcher.new_execution(service, f"deliver-{service}", known=deliveries, within=120)
        return build, delivery

    def _built(self, service: str, known: set[str]) -> JsonObject:
        found = self._watcher.new_execution(service, f"build-{service}", known=known, within=120)
        return self._must_succeed(str(found["id"]), within=120)

    def _must_succeed(self, execution_id: str, *, within: float) -> JsonObject:
        ended = self._watcher.end_of(execution_id, within=within)
        if ended["status"] != "SUCCEEDED":
            raise Refused(
                Problem(
                    code="demo.failed",
                    message=f"{ended['name']} ended {ended['status']}: {watching.problems(ended)}",
                    remedy=f"Stages: {watching.statuses(ended)}",
                )
            )
        return ended

    def _known(self, name: str, application: str) -> set[str]:
        return {str(one["id"]) for one in self._watcher.executions(application, name)}

    def _save(self, pipeline: JsonObject) -> None:
        self._client.post("/api/v1/pipelines", pipeline)

    def _balancer(self, name: str) -> JsonObject:
        for balancer in mappings_at(self._client.get("/api/v1/traffic"), "loadBalancers"):
            if balancer.get("name") == name:
                return balancer
        raise Refused(Problem(code="demo.no_load_balancer", message=f"There is no load balancer {name}."))

    def _address(self, name: str) -> str:
        return str(self._balancer(name)["address"])

    def _shares(self, name: str) -> list[str]:
        shares = mappings_at(self._balancer(name), "shares")
        return [str(share["serverGroup"]) for share in shares if share.get("weight")]

    def _tell_scores(self, tag: str, execution: JsonObject) -> None:
        self._teller.note(f"canary scores of {tag}: {reckoning.scores(execution)}")

    def _command(self, *words: str) -> None:
        done = self._spawn(*words, capture=True)
        said = (done.communicate(timeout=60)[0] or b"").decode().strip()
        if done.returncode != 0:
            raise Refused(Problem(code="demo.command", message=f"gennaker {' '.join(words)}: {said}"))

    def _spawn(self, *words: str, capture: bool = False) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            self._server.command(*words),
            stdout=subprocess.PIPE if capture else subprocess.DEVNULL,
            stderr=subprocess.STDOUT,
        )
