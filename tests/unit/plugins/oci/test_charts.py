"""Charts in registries: what the real helm has pushed is read byte for byte, and what is no chart of an account is refused."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.building import FreshClients
from tests.registry_servers import own_registry

from gennaker.model.problems import Refused
from gennaker.plugins.oci.charts import ChartImages

pytestmark = pytest.mark.slow
HELM = Path(sys.executable).parent / "helm"


@pytest.fixture
def host(tmp_path: Path) -> Iterator[str]:
    (tmp_path / "data").mkdir()
    with own_registry(tmp_path / "data") as found:
        yield found


def account(host: str) -> ChartImages:
    return ChartImages("local", FreshClients(host))


def test_a_chart_that_helm_has_pushed_is_read(host: str, tmp_path: Path) -> None:
    chart = tmp_path / "shop"
    chart.mkdir()
    (chart / "Chart.yaml").write_text("apiVersion: v2\nname: shop\nversion: 1.2.0\n")
    environment = {"HOME": str(tmp_path), "PATH": ""}
    for words in (("package", "shop"), ("push", "--plain-http", "shop-1.2.0.tgz", f"oci://{host}/charts")):
        subprocess.run([HELM, *words], cwd=tmp_path, env=environment, check=True, capture_output=True, timeout=600)

    by_reference = asyncio.run(account(host).fetch({"reference": f"{host}/charts/shop:1.2.0"}))
    by_name = asyncio.run(account(host).fetch({"name": f"oci://{host}/charts/shop", "version": "1.2.0"}))

    assert by_reference == by_name == (tmp_path / "shop-1.2.0.tgz").read_bytes()


@pytest.mark.parametrize("reference", ["elsewhere:5000/charts/shop:1", "{host}/charts/shop", "{host}", "shop:1", ""])
def test_what_names_no_chart_of_the_registry_is_refused(reference: str) -> None:
    with pytest.raises(Refused, match="names no chart of the account local"):
        asyncio.run(account("here:5000").fetch({"reference": reference.format(host="here:5000"), "name": "x"}))
