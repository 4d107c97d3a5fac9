"""Files of builds: the three property formats, ZIPs, properties in logs."""

import io
import struct
import tracemalloc
import zipfile

import pytest
from tests.fakes.ci_worlds import zipped

from gennaker.interfaces.ci import UnreadableProperties
from gennaker.transport import build_files


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


def lying(content: bytes, *, packed: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of one file that says it holds 9 bytes."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", packed) as archive:
        archive.writestr("a.json", content)
    return made.getvalue().replace(struct.pack("<I", len(content)), struct.pack("<I", 9))


@pytest.mark.parametrize("packed", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_file_that_says_it_is_small_is_not_unpacked_beyond_that(packed: int) -> None:
    bomb = lying(b"0" * 30_000_000, packed=packed)

    tracemalloc.start()
    try:
        with pytest.raises(UnreadableProperties, match="can't be unpacked"):
            build_files.in_zip(bomb, "a.json")
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_damaged_content_of_a_zip_is_told() -> None:
    whole = bytearray(lying(bytes(range(256)) * 20))
    whole[40:60] = b"\xff" * 20

    with pytest.raises(UnreadableProperties, match="can't be unpacked"):
        build_files.in_zip(bytes(whole), "a.json")


def test_a_line_that_goes_on_over_many_is_put_together_once() -> None:
    found = build_files.parse("x.properties", b"key=" + b"ab\\\n" * 300_000 + b"c\nother=1")

    assert len(str(found["key"])) == 600_001
    assert found["other"] == "1"


def test_deep_json_in_a_log_is_told() -> None:
    with pytest.raises(UnreadableProperties, match="nested too deeply"):
        build_files.in_log("SPINNAKER_CONFIG_JSON=" + '{"a":' * 100_000)
