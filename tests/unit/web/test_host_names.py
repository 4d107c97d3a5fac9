"""Names of this machine: all of loopback's, and nothing that can be made to point here."""

import pytest

from gennaker.web import host_names


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8084",
        "127.0.0.2:8084",
        "127.255.255.254:1",
        "[::1]",
        "[::1]:8084",
        "[0:0:0:0:0:0:0:1]:8084",
        "localhost",
        "localhost:8084",
        "LocalHost:8084",
    ],
)
def test_loopback_is_this_machine_however_it_is_written(host: str) -> None:
    assert host_names.is_this_machine(host)


@pytest.mark.parametrize(
    "host",
    [
        # Names: whoever owns them says where they point
        "evil.example",
        "evil.example:8084",
        "127.0.0.1.evil.example",
        "127.0.0.2.evil.example:8084",
        "127-0-0-2.evil.example",
        "localhost.evil.example",
        "evil.localhost.example",
        "app.localhost",
        "localhost.",
        "localhostx",
        "1.localhost:8084",
        # Other addresses, those that reach loopback on some systems among them
        "0.0.0.0:8084",
        "0:8084",
        "[::]:8084",
        "10.0.0.1",
        "192.0.2.1:8084",
        "128.0.0.1",
        "[fe80::1]",
        "[::ffff:192.0.2.1]",
        # What no browser sends: nobody may be taken for somebody else by how it is read
        "",
        ":8084",
        "127.1",
        "0x7f.0.0.1",
        "2130706433",
        "127.0.0.01",
        "127.0.0.1.",
        "127.0.0.1:8084:1",
        "127.0.0.1:port",
        "127.0.0.1:",
        "127.0.0.1/evil.example",
        "127.0.0.1#evil.example",
        "evil.example@127.0.0.1",
        "evil.example,127.0.0.1",
        "127.0.0.1 evil.example",
        "127.0.0.1\n",
        "[::1%25evil.example]",
        "[::1%evil.example]:8084",
        "[::1",
        "::1",
        "[127.0.0.1]",
        "[bad]",
        "\u0661\u0662\u0667.0.0.1",
        "\uff11\uff12\uff17.0.0.1",
    ],
)
def test_nothing_else_is(host: str) -> None:
    assert not host_names.is_this_machine(host)
