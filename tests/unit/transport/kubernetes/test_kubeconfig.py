"""Kubeconfig: contexts, files, users, and what is said of one that can't be used."""

import base64
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gennaker.model.problems import Refused
from gennaker.transport.kubernetes import kubeconfig
from gennaker.transport.kubernetes.kubeconfig import Access, ExecPlugin, User


def config(*, user: Any = None, cluster: Any = None, **fields: Any) -> str:
    """JSON is YAML."""
    whole = {
        "current-context": "main",
        "contexts": [{"name": "main", "context": {"cluster": "c", "user": "u", "namespace": "shop"}}],
        "clusters": [{"name": "c", "cluster": {"server": "https://api:6443/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user or {}}],
        **fields,
    }
    return msgspec.json.encode(whole).decode()


def test_the_current_context_says_where_and_as_whom() -> None:
    found = kubeconfig.from_text(
        config(user={"token": "t"}, cluster={"tls-server-name": "kube", "proxy-url": "http://p:1"})
    )

    assert found == Access(
        server="https://api:6443", server_name="kube", proxy="http://p:1", namespace="shop", user=User(token="t")
    )


def test_another_context_may_be_named_and_need_no_user() -> None:
    contexts = [{"name": "other", "context": {"cluster": "c"}}]

    found = kubeconfig.from_text(config(contexts=contexts), "other")

    assert (found.namespace, found.user) == ("default", User())


def test_files_are_looked_for_beside_the_kubeconfig(tmp_path: Path) -> None:
    for name in ("ca.pem", "client.pem", "client.key"):
        (tmp_path / name).write_text(name)
    user = {"client-certificate": "client.pem", "client-key": str(tmp_path / "client.key"), "tokenFile": "token"}
    file = tmp_path / "config"
    file.write_text(config(user=user, cluster={"certificate-authority": "ca.pem"}))

    found = kubeconfig.from_file(file)

    assert found.authority == b"ca.pem"
    assert found.user == User(token_file=tmp_path / "token", certificate=b"client.pem", key=b"client.key")


def test_data_in_the_kubeconfig_wins_over_files() -> None:
    data = base64.b64encode(b"pem").decode()

    found = kubeconfig.from_text(config(cluster={"certificate-authority-data": data, "certificate-authority": "/gone"}))

    assert found.authority == b"pem"


def test_an_exec_plugin_is_read(tmp_path: Path) -> None:
    plugin = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "command": "./get-token",
        "args": ["--cluster", "c"],
        "env": [{"name": "REGION", "value": "eu"}],
        "provideClusterInfo": True,
        "interactiveMode": "IfAvailable",
        "installHint": "Install it.",
    }

    found = kubeconfig.from_text(config(user={"exec": plugin}), folder=tmp_path)

    assert found.user.plugin == ExecPlugin(
        api_version="client.authentication.k8s.io/v1",
        command=str(tmp_path / "get-token"),
        args=("--cluster", "c"),
        environment={"REGION": "eu"},
        gets_cluster=True,
        install_hint="Install it.",
    )


@pytest.mark.parametrize(
    ("text", "piece"),
    [
        ("{", "isn't YAML"),
        ("[]", "no current context"),
        (config(**{"current-context": "gone"}), "no context 'gone'"),
        (config(clusters=[]), "no cluster 'c'"),
        (config(users=[]), "no user 'u'"),
        (config(clusters=[{"name": "c", "cluster": {"server": "api"}}]), "has no address"),
        (config(cluster={"certificate-authority-data": "***"}), "isn't base64"),
        (config(cluster={"certificate-authority": "/gone/ca"}), "can't be read"),
        (config(cluster={"certificate-authority": "ca"}), "relative to nothing"),
        (config(user={"auth-provider": {"name": "gcp"}}), "auth-provider"),
        (config(user={"exec": {"apiVersion": "client.authentication.k8s.io/v1alpha1", "command": "x"}}), "v1alpha1"),
        (
            config(user={"exec": {"apiVersion": "client.authentication.k8s.io/v1", "interactiveMode": "Always"}}),
            "wants to ask somebody",
        ),
    ],
)
def test_what_cannot_be_used_is_said_without_its_content(text: str, piece: str) -> None:
    with pytest.raises(Refused) as refused:
        kubeconfig.from_text(text)

    assert piece in str(refused.value)
    assert "***" not in str(refused.value)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="gone"):
        kubeconfig.from_file(tmp_path / "gone")


def test_a_pod_has_an_account_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, text in (("token", "t"), ("ca.crt", "ca"), ("namespace", "shop\n")):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "fd00::1")
    monkeypatch.setenv("KUBERNETES_SERVICE_PORT", "443")

    found = kubeconfig.in_cluster(tmp_path)

    assert found == Access(
        server="https://[fd00::1]:443", authority=b"ca", namespace="shop", user=User(token_file=tmp_path / "token")
    )


def test_outside_a_pod_there_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)

    with pytest.raises(Refused, match="in a pod"):
        kubeconfig.in_cluster(tmp_path)
