"""Settings: what can be set, with units, ranges and defaults.

Records only. `cli/configuration.py` reads them from `gennaker.toml`, environment (`GENNAKER_SERVER__PORT`) and flags and
knows where each value came from; everybody else is handed a `Settings`.
"""

import re
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from gennaker.baking_settings import BakingSettings
from gennaker.kubernetes_settings import KubernetesAccountSettings
from gennaker.oauth2_settings import OAuth2Settings
from gennaker.oidc_settings import OidcSettings
from gennaker.traffic_settings import LoadBalancerSettings, TrafficGuardSettings, TrafficSettings

Port = Annotated[int, Meta(ge=0, le=65_535)]
"""0: a free one."""
Seconds = Annotated[float, Meta(gt=0, le=604_800)]
"""At most a week."""
SecondsIfAny = Annotated[float, Meta(ge=0, le=604_800)]
"""0: none."""
WholeSeconds = Annotated[int, Meta(ge=1, le=604_800)]
Count = Annotated[int, Meta(ge=1, le=1_000_000)]
CountIfAny = Annotated[int, Meta(ge=0, le=1_000_000)]
"""0: no limit."""
Bytes = Annotated[int, Meta(ge=1, le=2**40)]
HttpStatus = Annotated[int, Meta(ge=100, le=599)]
Name = Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*\Z")]
SecretText = Annotated[str, Meta(pattern=r"^(encrypted:.+|secret://.+)?\Z")]
"""A reference to a secret (`encrypted:store!n:NAME`), never the secret itself."""


class ServerSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Where the server listens."""

    host: str = "127.0.0.1"
    """Anything but loopback is refused at start unless `sign-in.required` is true."""
    port: Port = 8084
    """Gate-compatible API, native API under /api/v1, page under /ui/. 0: a free port."""
    base_url: str = ""
    """Address that links in messages use; empty: `http://host:port`."""
    names: tuple[str, ...] = ()
    """Names beside those of this machine and `base-url`'s to which it answers: those of a proxy in front of it."""
    allowed_origins: tuple[Annotated[str, Meta(pattern=r"^https?://[^/*]+\Z")], ...] = ()
    """Origins (`https://deck.example.org`) whose pages may use the API from a browser; nobody else's may. Cookies reach it from
    the same site only: a Deck of another site signs in by tokens."""
    webhook_body_limit_bytes: Bytes = 5_000_000
    requests_per_minute: CountIfAny = 6000
    """Of one person, or of one address of those who haven't signed in; counted where one has to sign in. 0: any number."""
    kept_headers: tuple[str, ...] = ()
    """Headers of requests that executions keep, and hand on to those that they start (`additionalHeaders`)."""
    stop_seconds: Seconds = 25.0
    """So long after it was told to stop it may take to end in order; then it logs what holds it (`server.held`) and ends at once, with
    status 1. Nothing that was answered is lost. Less than whoever stops it waits before killing it: Docker 10 seconds, Kubernetes 30."""


class SignInSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Who has to sign in, and what those may do of whom nothing is said elsewhere."""

    required: bool = False
    """False: whoever reaches the server (on loopback only) may use Gate's routes as `anonymous`."""
    admin_roles: tuple[str, ...] = ("admin",)
    """May do everything."""
    execute_fallback: Literal["READ", "WRITE"] = "READ"
    """Whose roles may start an application's pipelines where its EXECUTE lists none."""
    allow_unknown_applications: bool = False
    """Whether everybody may do everything with applications that nobody has saved."""
    read_roles: tuple[str, ...] = ()
    """Of applications that list no role at all; where these three are empty, too, everybody who has signed in may do everything."""
    write_roles: tuple[str, ...] = ()
    execute_roles: tuple[str, ...] = ()
    create_roles: tuple[str, ...] = ()
    """May create applications; empty: everybody who has signed in."""
    session_seconds: Seconds = 86_400.0
    """So long after signing in one has to sign in again."""
    proxy_socket: str = ""
    """Path of a unix socket on which a proxy in front is listened to, beside the port; whoever may write to it is trusted."""
    proxy_user_header: str = ""
    """Header of requests through that socket that names who has signed in at the proxy, e.g. `X-Spinnaker-User`."""
    proxy_roles_header: str = ""
    """And that person's roles, separated by commas; empty: the roles that Gennaker knows."""
    proxy_certificate_header: str = ""
    """Header in which the proxy gives the subject of the client's certificate, once it has verified it."""
    certificate_pattern: str = r"(?:^|(?<!\\),)CN=([^,+]+)"
    """What of the subject is the name: the first group. Not `CN=` in the middle of another of its parts, which applicants choose."""
    token_days: Annotated[int, Meta(ge=1, le=365)] = 90
    """An API token lives so long at most; one of a service account may live for a year."""

    def __post_init__(self) -> None:
        """Refuses a pattern that is none, while the settings are read."""
        try:
            groups = re.compile(self.certificate_pattern).groups
        except re.error as error:
            raise ValueError(f"{self.certificate_pattern!r} is no pattern: {error}") from error
        if not groups:
            raise ValueError(f"the pattern {self.certificate_pattern!r} has no group")


class AccountSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Who may do what with an account of a cloud provider or registry."""

    permissions: dict[Literal["READ", "WRITE"], tuple[str, ...]] = {}
    """Roles: READ shows it, WRITE deploys to it. Empty: everybody has both."""


class StoreSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Where everything is kept."""

    url: str = ""
    """`postgresql://user@host:port/database`, which several servers may share; empty: SQLite in the data folder.
    A password belongs in PostgreSQL's password file (~/.pgpass) or the environment (GENNAKER_STORE__URL)."""
    folder: str = ""
    """Folder that all servers of a database share, for what stays files: images, evidence, logs, processes; empty: the
    data folder, which is right for a single server."""
    secret_key_file: str = ""
    """File with the keys of kept secrets, best not in the same backup; empty: `secrets.key` in the shared folder."""
    lease_seconds: Seconds = 15.0
    """So long after its last sign of life a server's executions pass to others; with PostgreSQL only."""
    poll_seconds: Seconds = 1.0
    """How often a server looks for work that nobody has; with PostgreSQL only."""


class AuditSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Where signed heads of the audit chain are kept, outside of database and data folder."""

    file: str = ""
    """Each head is added as a line; best on a share that only takes. Empty: none."""
    webhook: str = ""
    """URL that each head is posted to; inside addresses as in webhook-hosts. Empty: none."""
    registry: str = ""
    """`https://registry.example.com/audit/gennaker`: repository of an OCI registry that each head is pushed to. Empty: none."""
    registry_user: str = ""
    registry_password_file: str = ""
    """Holds the password (or token) and nothing else."""
    every_records: Annotated[int, Meta(ge=1)] = 1000
    every_seconds: Seconds = 60.0
    """After so many records, or so long after the last head if there is a record since, whichever comes first."""


class RegistrySettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The image registry that Gennaker serves."""

    port: Port = 5000
    """0: a free port."""
    account: Name = "local-registry"
    """Name of the docker-registry account under which pipelines know it."""
    mutable_tags: tuple[str, ...] = ("latest", "main", "edge")
    """Tags that may be pushed again with other content; patterns with `*`. All others are immutable."""
    poll_seconds: Seconds = 1.0
    """How often the docker trigger's poller looks for new tags."""


class CaddySettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The embedded load balancer."""

    program: str = ""
    """A Caddy of your own; empty: the one that is installed with Gennaker."""
    admin_port: Port = 0
    """0: a free port, kept in the data folder."""


class MailSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Outgoing mail."""

    host: str = ""
    """Empty: mail notifications fail with a sentence that says so."""
    port: Annotated[int, Meta(ge=1, le=65_535)] = 25
    sender: str = "gennaker@localhost"
    timeout_seconds: Seconds = 10.0


class MetricsSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The scraper of the instances' /metrics."""

    scrape_seconds: Seconds = 1.0
    keep_seconds: WholeSeconds = 1800
    """Length of the in-memory series."""


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """How executions move on."""

    most_running: CountIfAny = 0
    """While so many executions run, pipelines that start are held back (`BUFFERED`); 0: none is."""
    shell: Literal["embedded", "temporal"] = "embedded"
    """What drives them: the loop in this process, or Temporal (section `temporal`), which needs `store.url` and the extra
    `gennaker[temporal]`."""
    concurrent_tasks: Count = 64
    """Tasks that run at the same time in this process."""
    cached_executions: Count = 500
    time_zone: str = "America/Los_Angeles"
    """For execution windows and cron triggers, Spinnaker's default."""
    cron_triggers: bool = True
    """Off: none fires."""
    cron_catch_up_seconds: SecondsIfAny = 0.0
    """Due times that nobody saw, as no server ran, are made up for if they are no longer ago; 0: never, as in Spinnaker."""
    partition: str = ""
    """Name of this installation, kept with each execution that it accepts; empty: it has none."""
    disabled_tasks: tuple[str, ...] = ()
    """Tasks that are skipped wherever they stand, by their names in the stages' task lists."""
    back_off_seconds: SecondsIfAny = 0.0
    """Tasks that wait for something look again after this time at the earliest."""
    longest_back_off_seconds: SecondsIfAny = 0.0
    """And after this time at the latest; 0: whenever they want."""


class ProviderSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What holds for stages whose `cloudProvider` is this one."""

    back_off_seconds: SecondsIfAny = 0.0
    """As in [engine]; the longer of the two counts."""
    account_back_off_seconds: dict[str, SecondsIfAny] = {}
    """The same by account (a stage's `credentials` or `account`)."""


class TemporalSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The Temporal that drives executions where `engine.shell` is temporal."""

    address: str = "127.0.0.1:7233"
    """`host:port`"""
    namespace: str = "default"
    task_queue: str = "gennaker"
    """One for each database; all its servers have the same."""


class BuilderSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """The built-in builder."""

    concurrent_builds: Count = 1
    step_timeout_seconds: WholeSeconds = 600
    """For steps whose build file gives none."""
    script_repository: str = ""
    """Where the scripts of script stages lie that name no repository (`repoUrl`)."""
    keep_workspaces: bool = False


class WebhookSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Bounds of the calls that webhook stages make."""

    timeout_seconds: Seconds = 30.0
    """Of a whole call, redirects included."""
    answer_bytes: Bytes = 1_000_000
    """An answer becomes part of the execution: larger ones fail the stage."""
    redirects: Annotated[int, Meta(ge=0, le=100)] = 5


class WebhookParameterSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """What a pipeline fills in at a stage of a preconfigured webhook; the webhook reads it as `parameterValues`."""

    name: str
    label: str = ""
    description: str = ""
    type: str = "string"
    default_value: str = ""
    order: int = 0


class PreconfiguredWebhookSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A webhook that pipelines use as a stage type of its own: what is set here, pipelines can't change."""

    label: str
    description: str = ""
    enabled: bool = True
    url: str | None = None
    method: str | None = None
    payload: str | None = None
    """JSON."""
    custom_headers: dict[str, str] = {}
    """Sent to `url`'s own origin only, never stored. Stand for secrets: `file:/path`, and references to any engine's."""
    parameters: tuple[WebhookParameterSettings, ...] = ()
    permissions: dict[Literal["READ", "WRITE"], tuple[str, ...]] = {}
    """Roles: one of WRITE's may run it, one of READ's is shown it. A right that isn't named everybody has."""
    fail_fast_status_codes: tuple[HttpStatus, ...] | None = None
    webhook_retry_status_codes: tuple[HttpStatus, ...] | None = None
    retry_status_codes: tuple[HttpStatus, ...] | None = None
    wait_for_completion: bool | None = None
    wait_before_monitor: Annotated[int, Meta(ge=0)] | None = None
    status_url_resolution: str | None = None
    status_url_json_path: str | None = None
    status_json_path: str | None = None
    progress_json_path: str | None = None
    success_statuses: str | None = None
    canceled_statuses: str | None = None
    terminal_statuses: str | None = None
    cancel_endpoint: str | None = None
    cancel_method: str | None = None
    cancel_payload: str | None = None
    """JSON."""


class CiSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A CI system that pipelines may name as `master`."""

    type: Literal["jenkins", "github", "gitlab", "azure-devops"]
    address: str = ""
    """Of Jenkins; of GitHub's or GitLab's API; of an Azure DevOps organisation. Empty: the vendor's public one."""
    username: str = ""
    """For Jenkins with a user's API token."""
    token_file: str = ""
    """File that holds the token and nothing else."""
    token: SecretText = ""
    csrf: bool = False
    """Jenkins wants a crumb with each write: only where no API token is used."""
    key_parameter: str = ""
    """Parameter, input or variable by which a build that was started can be found again after a crash. The job has to
    declare it; a GitHub workflow must show it in its `run-name`."""
    ref: str = "main"
    """Branch that is built where a stage names none (GitHub, GitLab, Azure DevOps)."""
    poll_seconds: Seconds = 10.0


class CiArtifactSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Files of builds that are artifacts of one type."""

    pattern: str
    """Of their whole names, with the groups `name` and `version`, e.g. `(?<name>.+)-(?<version>[0-9].*)\\.jar`."""

    def __post_init__(self) -> None:
        """Refuses a pattern that is none, while the settings are read."""
        if not self.compiled().groupindex.keys() & {"name", "version"}:
            raise ValueError(f"the pattern {self.pattern!r} has neither a group `name` nor a group `version`")

    def compiled(self) -> re.Pattern[str]:
        """The pattern; named groups may be written as in Java. Raises ValueError."""
        try:
            return re.compile(re.sub(r"\(\?<(?=[A-Za-z])", "(?P<", self.pattern))
        except re.error as error:
            raise ValueError(f"{self.pattern!r} is no pattern: {error}") from error


class ArtifactAccountSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """An account by which artifacts that are files can be read; artifacts name it as `artifactAccount`."""

    type: Literal["http", "github", "gitlab", "bitbucket", "git", "helm"]
    address: str = ""
    """Where its credentials go, and nowhere else: `https://host`. Empty: the vendor's public API; of `http`: nowhere. Needed by `helm`
    (the chart repository) and `git` (what its repositories begin with: `https://host/team/`)."""
    username: str = ""
    """Empty: the token alone signs in."""
    token_file: str = ""
    """File that holds the token or password and nothing else."""
    token: SecretText = ""
    use_content_api: bool = False
    """GitHub: take the file from the contents API itself instead of its download address."""

    def __post_init__(self) -> None:
        if self.type in ("git", "helm") and not self.address:
            raise ValueError(f"{self.type} needs an address")


class DockerRegistrySettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """How an engine signs in to a registry: a file that holds the password (or token) and nothing else, or a reference to it."""

    host: str
    """As it stands in image names: `registry.example`, `10.0.0.7:5000`."""
    username: str
    password_file: str = ""
    password: SecretText = ""


class DockerSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A container engine (Docker, or Podman) that stages name as `account`."""

    address: Annotated[str, Meta(pattern=r"^(unix:///|tcp://).+\Z")] = "unix:///var/run/docker.sock"
    """`unix:///path`, or `tcp://host:port`; Podman: `unix:///run/podman/podman.sock`."""
    ca_file: str = ""
    """Of a `tcp://` address with TLS; PEM."""
    client_certificate_file: str = ""
    client_key_file: str = ""
    region: Name = "local"
    """What stages write as `region`."""
    instance_host: str = "127.0.0.1"
    """Address of the engine's machine on which instances listen."""
    registries: tuple[DockerRegistrySettings, ...] = ()
    """Others as the engine itself knows them."""
    secrets: dict[Name, str] = {}
    """By name: the file that holds it. Containers that name one find it below /run/secrets."""
    mounts: tuple[str, ...] = ()
    """Folders of the engine's machine that containers may mount, and what is below them."""
    host_network: bool = False
    """Whether jobs may run in the network of the engine's machine: then they reach what listens on its loopback."""
    overcommit: bool = False
    """Whether the memory limits of all instances together may be more than the engine's machine has."""
    request_timeout_seconds: Seconds = 30.0
    pull_timeout_seconds: Seconds = 600.0
    """Longest silence while an image is pulled."""


class JobSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Who may run stages of a type as jobs, i.e. outside pipelines."""

    users: tuple[str, ...] = ()
    """Empty: nobody."""


class ConditionSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Something that holds deploys back as long as it stands in the settings."""

    clusters: tuple[str, ...]
    """Which ones; patterns with `*`."""
    accounts: tuple[str, ...] = ()
    """Where; empty: everywhere."""
    reason: str = ""
    """Told to those who wait."""


class DeploymentMonitorSettings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """A service that judges the steps of the strategy `monitored`, by its id in `deploymentMonitor`."""

    base_url: Annotated[str, Meta(pattern=r"^https?://[^\s/].*\Z")]
    """`/deployment/evaluateHealth` and others are called below it, wherever it is."""
    name: str = ""
    """As people see it; empty: its id."""
    fail_on_error: bool = True
    """Whether a deploy goes back when it gives no valid answer, or none in time; else it goes on."""
    max_analysis_minutes: Annotated[float, Meta(gt=0)] = 30.0
    """Of one step; a stage may say otherwise (`maxAnalysisMinutesOverride`)."""


class Settings(msgspec.Struct, frozen=True, kw_only=True, rename="kebab"):
    """Everything that can be set."""

    server: ServerSettings = ServerSettings()
    sign_in: SignInSettings = SignInSettings()
    oidc: OidcSettings = OidcSettings()
    oauth2: OAuth2Settings = OAuth2Settings()
    accounts: dict[str, AccountSettings] = {}
    """By name."""
    store: StoreSettings = StoreSettings()
    audit: AuditSettings = AuditSettings()
    registry: RegistrySettings = RegistrySettings()
    caddy: CaddySettings = CaddySettings()
    load_balancers: dict[str, LoadBalancerSettings] = {}
    traffic: TrafficSettings = TrafficSettings()
    traffic_guards: TrafficGuardSettings = TrafficGuardSettings()
    mail: MailSettings = MailSettings()
    metrics: MetricsSettings = MetricsSettings()
    engine: EngineSettings = EngineSettings()
    providers: dict[str, ProviderSettings] = {}
    """By cloud provider."""
    jobs: dict[str, JobSettings] = {}
    """By stage type, `*` for those that aren't listed; without it everybody may run them."""
    conditions: dict[str, ConditionSettings] = {}
    """By name."""
    deployment_monitors: dict[str, DeploymentMonitorSettings] = {}
    """By the id that stages name."""
    temporal: TemporalSettings = TemporalSettings()
    builder: BuilderSettings = BuilderSettings()
    baking: BakingSettings = BakingSettings()
    webhooks: WebhookSettings = WebhookSettings()
    preconfigured_webhooks: dict[str, PreconfiguredWebhookSettings] = {}
    """By stage type."""
    ci: dict[str, CiSettings] = {}
    """By name."""
    artifact_accounts: dict[str, ArtifactAccountSettings] = {}
    """By name."""
    kubernetes: dict[str, KubernetesAccountSettings] = {}
    """By account."""
    docker: dict[str, DockerSettings] = {}
    """By account."""
    ci_artifacts: dict[str, CiArtifactSettings] = {}
    """By artifact type: which files of builds are of it; `deb` and `rpm` are known without."""
    script_master: str = ""
    """CI system that runs script stages, and its job for them."""
    script_job: str = ""
    webhook_hosts: tuple[str, ...] = ()
    """`host:port` of private or loopback addresses that webhook stages and notifications may call nevertheless; IPv6 as `[::1]:8080`."""
