"""Files of builds: the three property formats, ZIPs, properties in logs."""

import pytest
from tests.fakes.ci_worlds import zipped

from gennaker.transport import build_files
from gennaker.transport.build_files import UnreadableProperties


def test_java_properties_are_read_as_java_reads_them() -> None:
    text = b"""# comment
! another
plain=1
  indented : two
spaced   three four
long = one \\
       two
esc\\=aped=a\\tb\\u00e9
empty=
flag
url=http://e.org/?a=b
"""
    assert build_files.parse("x.properties", text) == {
        "plain": "1",
        "indented": "two",
        "spaced": "three four",
        "long": "one two",
        "esc=aped": "a\tbé",
        "empty": "",
        "flag": "",
        "url": "http://e.org/?a=b",
    }


def test_yaml_and_json_keep_their_types() -> None:
    assert build_files.parse("x.yml", b"a: 1\nb: [x]\n") == {"a": 1, "b": ["x"]}
    assert build_files.parse("x.json", b'{"a": true}') == {"a": True}


@pytest.mark.parametrize(("name", "content"), [("x.json", b"{"), ("x.json", b"[1]"), ("x.yaml", b"a: [")])
def test_broken_ones_are_refused(name: str, content: bytes) -> None:
    with pytest.raises(UnreadableProperties):
        build_files.parse(name, content)


def test_a_file_in_a_zip_is_found_by_its_name_or_path() -> None:
    archive = zipped({"out/deep/a.json": b"1"})

    assert build_files.in_zip(archive, "a.json") == build_files.in_zip(archive, "out/deep/a.json") == b"1"
    assert build_files.in_zip(archive, "b.json") is None
    with pytest.raises(UnreadableProperties):
        build_files.in_zip(b"no zip", "a.json")


def test_a_file_that_unpacks_to_too_much_is_refused() -> None:
    with pytest.raises(UnreadableProperties, match="larger"):
        build_files.in_zip(zipped({"a": b"\0" * 5_000_001}), "a")


def test_logs_hold_properties_at_the_beginnings_of_lines() -> None:
    log = 'x\n  SPINNAKER_PROPERTY_VERSION= 1.2 =3\necho SPINNAKER_PROPERTY_NO=1\nSPINNAKER_CONFIG_JSON={"a": 1}\n'

    assert build_files.in_log(log) == {"version": "1.2", "a": 1}
    with pytest.raises(UnreadableProperties):
        build_files.in_log("SPINNAKER_CONFIG_JSON={")
