"""Kustomizations: everything that one refers to lies beside it, or it is refused."""

import asyncio
from pathlib import Path

import pytest

from gennaker.model.problems import Problem, Refused
from gennaker.plugins.bake import kustomizations

RAW = "https://raw.example/shop/main"
FILES = {
    f"{RAW}/prod/kustomization.yaml": "resources: [../base, more.yaml]\nconfigMapGenerator: [{name: c, files: [k=a.txt]}]",
    f"{RAW}/base/kustomization.yml": "resources: [app.yaml]\npatches: [{path: p.yaml}]",
    **{f"{RAW}/{path}": path for path in ("prod/more.yaml", "prod/a.txt", "base/app.yaml", "base/p.yaml")},
}


async def read(address: str) -> bytes:
    if address not in FILES:
        raise Refused(Problem(code="artifact.not_given", message=f"{address} answered 404."))
    return FILES[address].encode()


def written(root: Path, **files: str) -> Path:
    for name, text in files.items():
        file = root / name.replace("__", "/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.with_suffix(".yaml").write_text(text)
    return root


def refusal(root: Path, start: Path) -> str:
    with pytest.raises(Refused) as refused:
        kustomizations.check(root, start)
    return str(refused.value)


def test_what_lies_beside_a_kustomization_is_gathered_with_it(tmp_path: Path) -> None:
    address = f"{RAW}/prod/kustomization.yaml"

    start = asyncio.run(kustomizations.gather(address, FILES[address].encode(), tmp_path, read))

    assert {str(one.relative_to(tmp_path)) for one in tmp_path.rglob("*") if one.is_file()} == {
        address.removeprefix("https://raw.example/") for address in FILES
    }
    assert start == tmp_path / "shop/main/prod"
    kustomizations.check(tmp_path, start)


@pytest.mark.parametrize("entry", ["https://evil.example/x.yaml", "//evil.example/x.yaml", "/etc/passwd", "gone.yaml"])
def test_nothing_else_is_gathered(tmp_path: Path, entry: str) -> None:
    with pytest.raises(Refused):
        asyncio.run(
            kustomizations.gather(f"{RAW}/kustomization.yaml", f"resources: [{entry}]".encode(), tmp_path, read)
        )


def test_all_that_is_not_in_the_artifact_is_said_at_once(tmp_path: Path) -> None:
    text = "resources: [https://evil.example/x.yaml, github.com/o/r, ../../etc, base]\npatches: [{path: gone.yaml}]"
    written(tmp_path / "files", kustomization=text, base__kustomization="resources: [none.yaml]")

    said = refusal(tmp_path / "files", tmp_path / "files")

    assert all(one in said for one in ("evil.example", "github.com/o/r", "../../etc", "gone.yaml", "none.yaml"))


def test_a_link_does_not_lead_out(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text("kind: Secret")
    written(tmp_path / "files", kustomization="resources: [here.yaml]")
    (tmp_path / "files" / "here.yaml").symlink_to(tmp_path / "secret.yaml")

    assert "here.yaml" in refusal(tmp_path / "files", tmp_path / "files")


@pytest.mark.parametrize(
    "text",
    [
        "generators: [g.yaml]",
        "transformers: ['kind: X\n\nprefix: a']",
        "Resources: [g.yaml]",
        "re\u017fources: [g.yaml]",
        "patches: [{Path: g.yaml}]",
        "configMapGenerator: [{name: c, Files: [g.yaml]}]",
        "configMapGenerator: [{name: c, file\u017f: [g.yaml]}]",
        "openapi: {PATH: g.yaml}",
        "helmCharts: [{name: c, repo: g.yaml}]",
    ],
)
def test_what_kustomize_would_read_otherwise_or_fetch_by_itself_is_refused(tmp_path: Path, text: str) -> None:
    written(tmp_path, kustomization=text, g="kind: ConfigMap")

    assert refusal(tmp_path, tmp_path)


@pytest.mark.parametrize(
    "text",
    [
        "resources: ['http://127.0.0.1/x.yaml']",
        "resources: [' HTTP://127.0.0.1/x.yaml']",
        'configMapGenerator: [{name: c, files: ["a=http:\\u002f/127.0.0.1/x.yaml"]}]',
        "patches: [{path: 'http://127.0.0.1/x.yaml'}]",
    ],
)
def test_an_address_is_refused_also_where_a_file_of_that_name_lies_there(tmp_path: Path, text: str) -> None:
    written(tmp_path, kustomization=text)
    for scheme in ("http:", " HTTP:"):
        file = tmp_path / scheme / "127.0.0.1" / "x.yaml"
        file.parent.mkdir(parents=True)
        file.write_text("kind: ConfigMap")

    assert "127.0.0.1/x.yaml" in refusal(tmp_path, tmp_path)


@pytest.mark.parametrize(("text", "said"), [("a: [", "isn't YAML"), ("resources: [sub]", "has no kustomization.yaml")])
def test_what_is_no_kustomization_is_refused(tmp_path: Path, text: str, said: str) -> None:
    written(tmp_path, kustomization=text, sub__x="")

    assert said in refusal(tmp_path, tmp_path)
