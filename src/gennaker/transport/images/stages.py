"""A stage while it is built: its files, layers and configuration, and the instructions that only configure.

Files are copying.py's, the order of things building.py's. What is wrong is collected, so that a person sees all of it.
"""

import re
from collections.abc import Callable, Mapping

import msgspec

from gennaker.model.codec import Json, JsonObject
from gennaker.model.problems import Problem
from gennaker.transport.images import dockerfile, trees, words
from gennaker.transport.images.dockerfile import Instruction
from gennaker.transport.images.manifests import Descriptor, History, RunSection
from gennaker.transport.images.trees import StageTree

_PORT = re.compile(r"(\d{1,5})(?:-(\d{1,5}))?(?:/(tcp|udp|sctp))?\Z", re.IGNORECASE)
_DURATION = re.compile(r"(\d{1,12}(?:\.\d{1,12})?)(ns|us|µs|ms|s|m|h)")
_COUNT = re.compile(r"\d{1,9}\Z")
_NANOSECONDS = {"ns": 1, "us": 1_000, "µs": 1_000, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}
_SIGNAL = re.compile(r"(SIG)?[A-Z][A-Z0-9+-]*\Z|\d{1,2}\Z")
_DEFAULT_SHELL = ("/bin/sh", "-c")


class Layer(msgspec.Struct, frozen=True, kw_only=True):
    """A finished layer."""

    descriptor: Descriptor
    diff_id: str


class StageState:
    """One stage so far. Changed in place by its instructions, then kept for stages that copy from it."""

    def __init__(self, *, escape: str, created: str, global_arguments: Mapping[str, str]) -> None:
        self.escape = escape
        self.created = created
        self.global_arguments = dict(global_arguments)
        """ARGs before the first FROM and the builder's own, which a stage's ARG without a value takes over."""
        self.given_arguments: Mapping[str, str] = {}
        """From the caller; they win over defaults."""
        self.tree = StageTree(None)
        self.section = RunSection()
        self.arguments: dict[str, str] = {}
        self.layers: tuple[Layer, ...] = ()
        self.history: tuple[History, ...] = ()
        self.problems: list[Problem] = []
        self.is_uncertain = False
        """Its base is missing: files that it lacks may be there in truth, so nothing is said about them."""
        self.has_own_command = False
        """Whether this stage has set CMD."""

    def continue_from(self, other: "StageState") -> None:
        """Takes over what another stage, or a base image, has."""
        self.tree, self.section = other.tree.copy(), other.section
        self.layers, self.history, self.is_uncertain = other.layers, other.history, other.is_uncertain

    @property
    def environment(self) -> dict[str, str]:
        """ENV so far."""
        return {name: value for name, _, value in (entry.partition("=") for entry in self.section.env or ())}

    @property
    def working_folder(self) -> str:
        """Absolute."""
        return self.section.working_dir or "/"

    def expand(self, text: str) -> str:
        """Puts variables in: ENV wins over ARG. Raises WordRefused."""
        return words.expand(text, {**self.arguments, **self.environment}, self.escape)

    def refuse(self, line: int, message: str, remedy: str = "") -> None:
        """Notes what is wrong at a line."""
        self.problems.append(dockerfile.problem(line, message, remedy))

    def record(self, instruction: Instruction, *, has_layer: bool = False) -> None:
        """Adds a line to the image's history."""
        line = History(created=self.created, created_by=instruction.text, empty_layer=not has_layer)
        self.history = (*self.history, line)

    def change(self, **fields: object) -> None:
        """Sets fields of the configuration."""
        self.section = msgspec.structs.replace(self.section, **fields)

    def absolute(self, path: str) -> str:
        """A path of the Dockerfile as an absolute one, a `/` at its end kept."""
        full = path if path.startswith("/") else f"{self.working_folder.rstrip('/')}/{path}"
        is_folder = path.endswith(("/", "/.")) or path == "."
        return "/" + trees.normal(full) + ("/" if is_folder and trees.normal(full) else "")


def configure(state: StageState, instruction: Instruction) -> None:
    """Applies an instruction that only changes the configuration. Raises WordRefused."""
    _CONFIGURING[instruction.name](state, instruction)


def shell_form(state: StageState, instruction: Instruction) -> tuple[str, ...]:
    """The program of CMD and ENTRYPOINT: as listed, or the text run by the shell."""
    if instruction.items is not None:
        return instruction.items
    return (*(state.section.shell or _DEFAULT_SHELL), instruction.rest)


def declare(state: StageState, instruction: Instruction) -> None:
    """ARG: a variable of the build."""
    for word in words.split_quoted(instruction.rest, state.escape):
        name, equals, default = word.partition("=")
        if name in state.given_arguments:
            state.arguments[name] = state.given_arguments[name]
        elif equals:
            state.arguments[name] = state.expand(default)
        elif name in state.global_arguments:
            state.arguments[name] = state.global_arguments[name]


def _env(state: StageState, instruction: Instruction) -> None:
    # All of a line see the values from before it.
    pairs = [(state.expand(name), state.expand(value)) for name, value in _assignments(state, instruction)]
    merged = {**state.environment, **dict(pairs)}
    state.change(env=tuple(f"{name}={value}" for name, value in merged.items()))


def _label(state: StageState, instruction: Instruction) -> None:
    pairs = {state.expand(name): state.expand(value) for name, value in _assignments(state, instruction)}
    state.change(labels={**(state.section.labels or {}), **pairs})


def _maintainer(state: StageState, instruction: Instruction) -> None:
    state.change(labels={**(state.section.labels or {}), "maintainer": instruction.rest})


def _assignments(state: StageState, instruction: Instruction) -> tuple[tuple[str, str], ...]:
    return dockerfile.assignments(instruction, state.escape)


def _cmd(state: StageState, instruction: Instruction) -> None:
    state.change(cmd=shell_form(state, instruction))
    state.has_own_command = True


def _entrypoint(state: StageState, instruction: Instruction) -> None:
    state.change(entrypoint=shell_form(state, instruction))
    if not state.has_own_command:
        state.change(cmd=None)  # A base image's CMD was meant for its own entrypoint.


def _expose(state: StageState, instruction: Instruction) -> None:
    ports = dict(state.section.exposed_ports or {})
    for word in state.expand(instruction.rest).split():
        parsed = _PORT.match(word)
        if parsed is None or int(parsed.group(1)) > int(parsed.group(2) or parsed.group(1)):
            raise words.WordRefused(f"{word!r} is no port such as 8080, 8080/udp or 8000-8010")
        for port in range(int(parsed.group(1)), int(parsed.group(2) or parsed.group(1)) + 1):
            if port > 65535:
                raise words.WordRefused(f"there is no port {port}")
            ports[f"{port}/{(parsed.group(3) or 'tcp').lower()}"] = {}
    state.change(exposed_ports=dict(sorted(ports.items())))


def _volume(state: StageState, instruction: Instruction) -> None:
    listed = instruction.items if instruction.items is not None else tuple(instruction.rest.split())
    volumes: dict[str, JsonObject] = {state.expand(volume): {} for volume in listed}
    state.change(volumes={**(state.section.volumes or {}), **volumes})


def _user(state: StageState, instruction: Instruction) -> None:
    state.change(user=state.expand(instruction.rest))


def _stop_signal(state: StageState, instruction: Instruction) -> None:
    signal = state.expand(instruction.rest)
    if not _SIGNAL.match(signal):
        raise words.WordRefused(f"{signal!r} is no signal such as SIGTERM or 15")
    state.change(stop_signal=signal)


def _shell(state: StageState, instruction: Instruction) -> None:
    if not instruction.items:
        raise words.WordRefused('SHELL needs a list such as ["/bin/sh", "-c"]')
    state.change(shell=instruction.items)


def _health_check(state: StageState, instruction: Instruction) -> None:
    kind, _, rest = instruction.rest.partition(" ")
    if kind.upper() == "NONE" and not rest:
        state.change(healthcheck={"Test": ["NONE"]})
        return
    if kind.upper() != "CMD" or not rest.strip():
        raise words.WordRefused("HEALTHCHECK is followed by NONE or by CMD and a command")
    parsed = dockerfile.parse(f"FROM scratch\nCMD {rest}").stages[0].instructions[0]
    test: list[Json] = ["CMD", *parsed.items] if parsed.items is not None else ["CMD-SHELL", rest.strip()]
    check: JsonObject = {"Test": test}
    keys = {
        "interval": "Interval",
        "timeout": "Timeout",
        "start-period": "StartPeriod",
        "start-interval": "StartInterval",
    }
    for flag, key in keys.items():
        if flag in instruction.flags:
            check[key] = _nanoseconds(instruction.flags[flag])
    if "retries" in instruction.flags:
        if not _COUNT.match(instruction.flags["retries"]):
            raise words.WordRefused("--retries is no number")
        check["Retries"] = int(instruction.flags["retries"])
    state.change(healthcheck=check)


def _nanoseconds(text: str) -> int:
    parts = _DURATION.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise words.WordRefused(f"{text!r} is no duration such as 30s or 1m30s")
    return round(sum(float(number) * _NANOSECONDS[unit] for number, unit in parts))


_CONFIGURING: Mapping[str, Callable[[StageState, Instruction], None]] = {
    "ARG": declare,
    "CMD": _cmd,
    "ENTRYPOINT": _entrypoint,
    "ENV": _env,
    "EXPOSE": _expose,
    "HEALTHCHECK": _health_check,
    "LABEL": _label,
    "MAINTAINER": _maintainer,
    "SHELL": _shell,
    "STOPSIGNAL": _stop_signal,
    "USER": _user,
    "VOLUME": _volume,
}
