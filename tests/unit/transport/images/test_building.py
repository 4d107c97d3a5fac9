"""Images are built from Dockerfiles directly, reproducibly, and everything that is wrong is said at once."""

import json
import os
import tarfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gennaker.model.codec import JsonObject
from gennaker.model.problems import Refused
from gennaker.transport.images import building, unpacking
from gennaker.transport.images import layout as layouts
from gennaker.transport.images.building import BaseImage, BuildRequest, BuiltImage

AT = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class Bench:
    """A build context and what is built from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.context = folder / "context"
        self.context.mkdir(parents=True)

    def write(self, path: str, text: str = "", mode: int = 0o644) -> None:
        file = self.context / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def request(self, dockerfile: str, **more: object) -> BuildRequest:
        self.write("Dockerfile", dockerfile)
        given: dict[str, object] = {
            "context": self.context,
            "dockerfile": Path("Dockerfile"),
            "layout": self.folder / "layout",
            "at": AT,
            "scratch": self.folder / "scratch",
        }
        return BuildRequest(**{**given, **more})  # type: ignore[arg-type]  # a builder's keywords

    def build(self, dockerfile: str, **more: object) -> BuiltImage:
        return building.build(self.request(dockerfile, **more))

    def config(self, image: BuiltImage) -> JsonObject:
        manifest = json.loads(layouts.read_blob(self.folder / "layout", image.digest))
        config: JsonObject = json.loads(layouts.read_blob(self.folder / "layout", manifest["config"]["digest"]))
        return config

    def run_section(self, dockerfile: str, **more: object) -> JsonObject:
        section = self.config(self.build(dockerfile, **more))["config"]
        assert isinstance(section, dict)
        return section

    def layers(self, image: BuiltImage) -> list[list[tarfile.TarInfo]]:
        layout = self.folder / "layout"
        manifest = json.loads(layouts.read_blob(layout, image.digest))
        found = []
        for layer in manifest["layers"]:
            with tarfile.open(layouts.blob_path(layout, layer["digest"])) as archive:
                found.append(archive.getmembers())
        return found

    def files(self, image: BuiltImage) -> dict[str, str]:
        root = unpacking.unpack_image(self.folder / "layout", image.digest, self.folder / "unpacked").rootfs
        return {
            str(path.relative_to(root)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
            for path in sorted(root.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

    def problems(self, dockerfile: str, **more: object) -> list[str]:
        with pytest.raises(Refused) as refused:
            self.build(dockerfile, **more)
        assert refused.value.status == 422
        return [problem.message for problem in refused.value.problems]


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """An empty build context."""
    return Bench(tmp_path)


def test_copies_files_and_folders_as_docker_does(bench: Bench) -> None:
    bench.write("app/main.py", "main")
    bench.write("app/lib/part.py", "part")
    bench.write("one.txt", "one")
    bench.write("two.txt", "two")
    (bench.context / "app" / "link").symlink_to("lib/part.py")

    image = bench.build(
        "FROM scratch\nCOPY app /srv/app\nCOPY one.txt /renamed\nCOPY one.txt two.txt /both/\n"
        'WORKDIR /work\nCOPY *.txt ./\nCOPY ["one.txt", "/with blank"]\nCOPY one.txt /both\n'
    )

    assert bench.files(image) == {
        "both/one.txt": "one",
        "both/two.txt": "two",
        "renamed": "one",
        "srv/app/lib/part.py": "part",
        "srv/app/link": "-> lib/part.py",
        "srv/app/main.py": "main",
        "with blank": "one",
        "work/one.txt": "one",
        "work/two.txt": "two",
    }


def test_the_same_commit_gives_the_same_digest(tmp_path: Path) -> None:
    text = "FROM scratch\nCOPY . /app/\nWORKDIR /app/x\nENV A=1\n"
    first, second = Bench(tmp_path / "a"), Bench(tmp_path / "b")
    for bench, order, umask in ((first, ("x/1", "2", "tool"), 0o022), (second, ("tool", "2", "x/1"), 0o077)):
        before = os.umask(umask)
        try:
            for name in order:
                bench.write(name, name, 0o700 if name == "tool" else 0o640)
        finally:
            os.umask(before)
    os.utime(second.context / "2", (1, 1))

    one, two = first.build(text), second.build(text)

    assert one == two
    members = [info for layer in first.layers(one) for info in layer]
    assert {info.mtime for info in members} == {int(AT.timestamp())}
    assert {(info.uid, info.gid, info.uname, info.gname) for info in members} == {(0, 0, "", "")}
    assert {info.name: oct(info.mode) for info in members} == {
        "app": "0o755",
        "app/2": "0o644",
        "app/Dockerfile": "0o644",
        "app/tool": "0o755",
        "app/x": "0o755",
        "app/x/1": "0o644",
    }


def test_another_time_gives_another_digest(bench: Bench) -> None:
    bench.write("a")

    assert bench.build("FROM scratch\nCOPY a /\n") != bench.build(
        "FROM scratch\nCOPY a /\n", at=datetime(2026, 1, 2, tzinfo=UTC)
    )


def test_leaves_out_what_dockerignore_names_and_the_repositorys_own_records(bench: Bench) -> None:
    for name in ("a.md", "keep.md", "src/__pycache__/x.pyc", "src/x.py", "docs/deep/in", "docs/deep/out", ".git/HEAD"):
        bench.write(name, name)
    bench.write(".dockerignore", "*.md\n!keep.md\n**/__pycache__\ndocs\n!docs/deep/in\nDockerfile\n.dockerignore\n")

    assert set(bench.files(bench.build("FROM scratch\nCOPY . /\n"))) == {"keep.md", "src/x.py", "docs/deep/in"}


def test_records_how_to_run(bench: Bench) -> None:
    section = bench.run_section(
        'FROM scratch\nARG PORT=8080\nENV NAME=shop GREETING="hi $NAME"\nENV OLD way to write\nLABEL a=b "c d"=\'e $f\'\n'
        'EXPOSE $PORT 53/udp\nUSER 1000:1000\nWORKDIR /srv\nWORKDIR app\nVOLUME /data ["x"]\nSTOPSIGNAL SIGINT\n'
        'HEALTHCHECK --interval=1m30s --retries=3 CMD ["/check"]\nENTRYPOINT ["/bin/shop"]\nCMD serve --all\n',
        labels=building.standard_labels(revision="abc", source="git", version="1.0"),
    )

    assert section == {
        "User": "1000:1000",
        "ExposedPorts": {"53/udp": {}, "8080/tcp": {}},
        "Env": ["NAME=shop", "GREETING=hi ", "OLD=way to write"],
        "Entrypoint": ["/bin/shop"],
        "Cmd": ["/bin/sh", "-c", "serve --all"],
        "Volumes": {"/data": {}, "[x]": {}},
        "WorkingDir": "/srv/app",
        "Labels": {
            "a": "b",
            "c d": "e $f",
            "org.opencontainers.image.created": "2026-01-02T03:04:05Z",
            "org.opencontainers.image.revision": "abc",
            "org.opencontainers.image.source": "git",
            "org.opencontainers.image.version": "1.0",
        },
        "StopSignal": "SIGINT",
        "Healthcheck": {"Test": ["CMD", "/check"], "Interval": 90_000_000_000, "Retries": 3},
    }


def test_arguments_come_from_the_caller_or_their_default(bench: Bench) -> None:
    text = "ARG V=1\nFROM scratch\nARG V\nARG W=2\nARG X\nARG TARGETOS\nLABEL v=$V w=$W x=$X os=$TARGETOS\n"

    assert _own_labels(bench.run_section(text)) == {"v": "1", "w": "2", "x": "", "os": "linux"}
    assert _own_labels(bench.run_section(text, arguments={"V": "7", "X": "8"})) == {
        "v": "7",
        "w": "2",
        "x": "8",
        "os": "linux",
    }


def _own_labels(section: JsonObject) -> JsonObject:
    labels = section["Labels"]
    assert isinstance(labels, dict)
    return {key: value for key, value in labels.items() if "." not in key}


def test_copies_from_other_stages_and_builds_only_what_is_needed(bench: Bench) -> None:
    bench.write("a", "a")

    image = bench.build(
        "FROM scratch AS one\nCOPY a /out/a\nFROM scratch AS unneeded\nRUN nothing\n"
        "FROM one AS two\nCOPY a /out/b\nFROM scratch\nCOPY --from=two /out /in\nCOPY --from=0 /out/a /first\n"
    )

    assert bench.files(image) == {"first": "a", "in/a": "a", "in/b": "a"}


def test_a_stage_can_be_the_target(bench: Bench) -> None:
    bench.write("a", "a")
    text = "FROM scratch AS one\nCOPY a /one\nFROM one AS two\nCOPY a /two\n"

    assert set(bench.files(bench.build(text, target="one"))) == {"one"}
    assert set(bench.files(bench.build(text))) == {"one", "two"}
    assert bench.problems(text, target="three") == ["The Dockerfile has no stage 'three'; its named stages: one, two."]


def test_builds_on_another_image(bench: Bench, tmp_path: Path) -> None:
    lower = Bench(tmp_path / "lower")
    lower.write("tool", "tool", 0o755)
    lower.write("etc/passwd", "shop:x:1200:1300::/:/bin/sh\n")
    (lower.context / "bin").symlink_to("usr/bin")
    base = lower.build(
        'FROM scratch\nCOPY tool /usr/bin/\nCOPY etc /etc\nCOPY . /\nENV A=1\nENTRYPOINT ["/tool"]\nCMD ["x"]\n'
    )
    bench.write("mine", "mine")
    name = "registry.example/base@" + base.digest
    text = f'FROM {name}\nENV B=2\nCOPY --chown=shop mine /bin/\nENTRYPOINT ["/bin/mine"]\n'

    request = bench.request(text)
    image = bench.build(text, bases={name: BaseImage(layout=tmp_path / "lower" / "layout", digest=base.digest)})

    assert building.references(request) == (name,)
    assert bench.files(image)["usr/bin/mine"] == "mine"
    assert bench.files(image)["bin"] == "-> usr/bin"
    section = bench.config(image)["config"]
    assert isinstance(section, dict)
    assert (section["Env"], section["Entrypoint"], section.get("Cmd")) == (["A=1", "B=2"], ["/bin/mine"], None)
    assert [(info.name, info.uid, info.gid) for info in bench.layers(image)[-1]] == [("usr/bin/mine", 1200, 1300)]


def test_add_unpacks_archives(bench: Bench) -> None:
    bench.write("inside/x", "x")
    with tarfile.open(bench.context / "a.tar.gz", "w:gz") as archive:
        archive.add(bench.context / "inside", "inside")

    assert bench.files(bench.build("FROM scratch\nADD a.tar.gz /opt\n")) == {"opt/inside/x": "x"}


def test_an_image_without_layers_can_be_built_and_unpacked(bench: Bench) -> None:
    assert bench.files(bench.build("FROM scratch\nENV A=1\n")) == {}


def test_says_everything_that_is_wrong_at_once(bench: Bench) -> None:
    bench.write("a")

    assert bench.problems(
        "FROM scratch AS one\nRUN make\nCOPY missing /x\nCOPY a a /many\nEXPOSE 99999\nUSER $\\{x\n"
        "ENV A='open\nFROM registry.example/unknown:1\nCOPY --from=one /nothing /x\nCOPY gone /\nADD http://x/y /\n"
        "COPY --chown=nobody a /\nSTOPSIGNAL loud\nHEALTHCHECK --interval=soon CMD x\nONBUILD RUN x\nCOPY *.none /\n"
    ) == [
        "Dockerfile line 2: RUN needs buildah, podman or docker, and none of them is used here.",
        "Dockerfile line 3: COPY: there is no 'missing' in the build context.",
        "Dockerfile line 4: COPY: 2 files are to be copied to '/many', which must then end with /.",
        "Dockerfile line 5: EXPOSE: there is no port 99999.",
        "Dockerfile line 7: ENV: the quote ' is not closed.",
        "Dockerfile line 8: the image 'registry.example/unknown:1' is not available.",
        "Dockerfile line 9: COPY: there is no 'nothing' in what --from names.",
        "Dockerfile line 10: COPY: there is no 'gone' in the build context.",
        "Dockerfile line 11: ADD: what is at an address may be something else tomorrow; fetch the file before the build and COPY it.",
        "Dockerfile line 13: STOPSIGNAL: 'loud' is no signal such as SIGTERM or 15.",
        "Dockerfile line 14: HEALTHCHECK: 'soon' is no duration such as 30s or 1m30s.",
        "Dockerfile line 15: ONBUILD is not supported.",
        "Dockerfile line 16: COPY: nothing matches '*.none' in the build context.",
    ]


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        (
            "COPY missing /x",
            "relative to the context (`image.context` in the build file); or add the file to the commit",
        ),
        ("COPY ignored /x", "or take it out of .dockerignore"),
        ("COPY *.none /", "Correct the path"),
        ("COPY --from=one /missing /x", "Correct the path, or make the file there"),
    ],
)
def test_a_file_that_is_not_there_is_told_with_what_to_do(bench: Bench, line: str, remedy: str) -> None:
    bench.write("ignored")
    bench.write(".dockerignore", "ignored")

    with pytest.raises(Refused) as refused:
        bench.build(f"FROM scratch AS one\nFROM scratch\n{line}\n")

    (problem,) = refused.value.problems
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "line",
    [
        "EXPOSE {}",
        "EXPOSE 1-{}",
        "HEALTHCHECK --retries={} CMD x",
        "HEALTHCHECK --interval={}s CMD x",
        "COPY --chown={} a /",
        "COPY --chown=0:{} a /",
        "COPY --from={} a /",
        "STOPSIGNAL {}",
    ],
)
def test_a_number_without_end_is_a_problem_of_its_line(bench: Bench, line: str) -> None:
    bench.write("a")

    (message,) = bench.problems(f"FROM scratch\n{line.format('9' * 5000)}\n")

    assert message.startswith("Dockerfile line 2: ")


@pytest.mark.parametrize("source", ["../secret", "link", "folder/secret"])
def test_nothing_outside_the_context_is_copied(bench: Bench, source: str) -> None:
    (bench.folder / "secret").write_text("secret")
    (bench.context / "link").symlink_to("../secret")
    (bench.context / "folder").symlink_to(bench.folder)

    (message,) = bench.problems(f"FROM scratch\nCOPY {source} /x\n")

    assert "leads outside" in message or "there is no" in message


def test_a_missing_dockerfile_is_a_sentence(bench: Bench) -> None:
    with pytest.raises(Refused, match="can't be read: No such file or directory"):
        building.build(
            BuildRequest(
                context=bench.context,
                dockerfile=Path("Dockerfile"),
                layout=bench.folder / "layout",
                at=AT,
                scratch=bench.folder / "scratch",
            )
        )
