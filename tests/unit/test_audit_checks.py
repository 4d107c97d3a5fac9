"""Checks of a data folder's audit chain: what is asked for and can't be done is refused, not passed over."""

from pathlib import Path

import pytest

from gennaker import audit_checks
from gennaker.model.problems import Refused
from gennaker.settings import Settings


@pytest.mark.parametrize(("key", "code"), [("zz", "audit.key"), ("ab" * 32, "audit.no_heads")])
def test_a_key_that_checks_nothing_is_refused(tmp_path: Path, key: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        audit_checks.verify_audit(Settings(), tmp_path, key=key)

    assert [one.code for one in refused.value.problems] == [code]
