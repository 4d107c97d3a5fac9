"""Opening the store: the one that the settings name, or a sentence."""

from pathlib import Path

import pytest

from gennaker.model.problems import Refused
from gennaker.settings import StoreSettings
from gennaker.store import opening
from gennaker.store.database import NAME


def test_without_an_address_it_is_sqlite_in_the_data_folder(tmp_path: Path) -> None:
    store = opening.open_store(StoreSettings(), tmp_path, engine_version="1", server="s")
    store.close()

    assert (tmp_path / NAME).exists()
    assert store.servers is None
    assert store.database.folder == tmp_path


@pytest.mark.debian
def test_an_address_names_postgresql_and_files_go_to_the_shared_folder(postgres_url: str, tmp_path: Path) -> None:
    settings = StoreSettings(url=postgres_url, folder=str(tmp_path / "shared"))

    store = opening.open_store(settings, tmp_path / "own", engine_version="1", server="s")
    verdict = opening.verify_audit(settings, tmp_path / "own")
    store.close()

    assert store.servers is not None
    assert (store.database.folder, store.database.own_folder) == (tmp_path / "shared", tmp_path / "own")
    assert verdict.is_intact
    assert not (tmp_path / "own" / NAME).exists()


@pytest.mark.parametrize(
    ("settings", "codes"),
    [
        (StoreSettings(url="mysql://u:secret@h/d"), ["store.url"]),
        (StoreSettings(folder="/srv"), ["store.folder"]),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_made(
    tmp_path: Path, settings: StoreSettings, codes: list[str]
) -> None:
    with pytest.raises(Refused) as caught:
        opening.open_store(settings, tmp_path / "data", engine_version="1", server="s")

    assert [problem.code for problem in caught.value.problems] == codes
    assert "secret" not in str(caught.value)
    assert not (tmp_path / "data").exists()
