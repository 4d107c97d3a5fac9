"""Configuration: precedence, where each value came from, unknown keys with suggestions, all problems at once."""

import re
from pathlib import Path

import pytest

from gennaker.cli import configuration
from gennaker.model.problems import Refused
from gennaker.settings import (
    EngineSettings,
    PreconfiguredWebhookSettings,
    ProviderSettings,
    Settings,
    WebhookParameterSettings,
)
from gennaker.traffic_settings import LoadBalancerSettings


def read(tmp_path: Path, toml: str = "", *flags: str, **environment: str) -> configuration.Configured:
    if toml:
        (tmp_path / "gennaker.toml").write_text(toml)
    return configuration.read(data=tmp_path, flags=flags, environment=environment)


def refused(tmp_path: Path, toml: str = "", *flags: str, **environment: str) -> list[str]:
    with pytest.raises(Refused) as caught:
        read(tmp_path, toml, *flags, **environment)
    return [str(problem) for problem in caught.value.problems]


def test_without_anything_all_values_are_defaults(tmp_path: Path) -> None:
    found = read(tmp_path)

    assert found.settings == Settings()
    assert set(found.sources.values()) == {"default"}
    assert found.data == tmp_path


def test_later_sources_win_and_each_value_knows_its_own(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '[server]\nport = 1\nhost = "localhost"\nbase-url = "http://x"\n[engine]\nconcurrent-tasks = 5',
        "server.port=3",
        GENNAKER_SERVER__PORT="2",
        GENNAKER_SERVER__BASE_URL="http://y",
    )

    server = found.settings.server
    assert (server.port, server.host, server.base_url) == (3, "localhost", "http://y")
    wanted = {
        "server.port": "flag",
        "server.host": "gennaker.toml",
        "server.base-url": "environment",
        "engine.concurrent-tasks": "gennaker.toml",
        "registry.port": "default",
    }
    assert {key: found.sources[key] for key in wanted} == wanted


def test_every_setting_can_be_set_in_every_way(tmp_path: Path) -> None:
    samples = {str: "x", int: "7", float: "0.4", bool: "true", list: '["a"]'}
    for key, value in configuration.keys(Settings()).items():
        if key in {
            "accounts",
            "artifact-accounts",
            "ci",
            "ci-artifacts",
            "conditions",
            "deployment-monitors",
            "docker",
            "jobs",
            "kubernetes",
            "load-balancers",
            "preconfigured-webhooks",
            "providers",
            "oauth2.roles",
            "oidc.roles",
            "traffic.accounts",
            "traffic.programs",
        }:
            continue
        chosen = {"engine.time-zone": "UTC", "engine.shell": "temporal", "sign-in.execute-fallback": "WRITE"}
        chosen |= {"oidc.access-tokens": "introspection", "oauth2.access-tokens": "user-info"}
        chosen |= {"oauth2.client-authentication": "form", "oauth2.name": "hub"}
        chosen["sign-in.certificate-pattern"] = "(x)"
        chosen["engine.cron-triggers"] = "false"
        chosen["server.allowed-origins"] = '["https://x"]'
        sample = chosen.get(key) or samples[type(value)]
        name = "GENNAKER_" + key.upper().replace("-", "_").replace(".", "__")

        by_flag = read(tmp_path, "", f"{key}={sample}")
        by_environment = read(tmp_path, "", **{name: sample})

        assert by_flag.settings == by_environment.settings != Settings(), key
        assert (by_flag.sources[key], by_environment.sources[key]) == ("flag", "environment")


def test_a_variable_that_misses_an_underscore_is_not_ignored(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="two underscores") as refused:
        read(tmp_path, "", GENNAKER_SERVER_PORT="9", GENNAKER_OF_ANOTHER_PROGRAM="x")

    (problem,) = refused.value.problems
    assert "GENNAKER_SERVER__PORT" in problem.remedy


def test_accounts_have_traffic_providers_by_names_that_people_choose(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '[traffic.accounts]\nprod = "haproxy"\n[traffic.programs]\nhaproxy = "/opt/haproxy"',
        "traffic.accounts.my_own=envoy",
    )

    assert found.settings.traffic.accounts == {"prod": "haproxy", "my_own": "envoy"}
    assert found.settings.traffic.programs == {"haproxy": "/opt/haproxy"}
    assert found.sources["traffic.accounts.my_own"] == "flag"


def test_load_balancers_have_names_that_people_choose(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '[load-balancers.shop-prod]\naddress = "127.0.0.1:80"\n[load-balancers.plain]\n',
        "load-balancers.my_own.address=127.0.0.1:81",
        GENNAKER_LOAD_BALANCERS__SHOP_STAGING__ADDRESS="127.0.0.1:82",
    )

    assert found.settings.load_balancers == {
        "shop-prod": LoadBalancerSettings(address="127.0.0.1:80"),
        "plain": LoadBalancerSettings(),
        "my_own": LoadBalancerSettings(address="127.0.0.1:81"),
        "shop-staging": LoadBalancerSettings(address="127.0.0.1:82"),
    }
    assert found.sources["load-balancers.my_own.address"] == "flag"
    assert found.sources["load-balancers.shop-prod.provider"] == "default"


def test_a_preconfigured_webhook_may_have_headers_of_any_name(tmp_path: Path) -> None:
    text = '[preconfigured-webhooks.ticket]\nlabel = "Ticket"\ncustom-headers = {X-Token = "file:/t"}\nparameters = [{name = "a"}]'
    one = read(tmp_path, text).settings.preconfigured_webhooks["ticket"]

    assert one == PreconfiguredWebhookSettings(
        label="Ticket", custom_headers={"X-Token": "file:/t"}, parameters=(WebhookParameterSettings(name="a"),)
    )


def test_header_values_are_shown_only_where_they_name_a_file(tmp_path: Path) -> None:
    text = '[preconfigured-webhooks.t]\nlabel = "T"\ncustom-headers = {X-Key = "abc", X-Token = "file:/t"}'

    shown = configuration.shown(read(tmp_path, text).settings)

    assert shown["preconfigured-webhooks.t.custom-headers.X-Key"] == "****"
    assert shown["preconfigured-webhooks.t.custom-headers.X-Token"] == "file:/t"


def test_providers_and_their_accounts_have_back_offs_of_their_own(tmp_path: Path) -> None:
    text = "[engine]\nback-off-seconds = 2\n[providers.aws]\naccount-back-off-seconds = {prod = 25, my_test = 3}\n"

    found = read(tmp_path, text, "providers.aws.back-off-seconds=5", GENNAKER_ENGINE__DISABLED_TASKS='["refresh"]')

    assert found.settings.engine == EngineSettings(back_off_seconds=2, disabled_tasks=("refresh",))
    accounts = {"prod": 25.0, "my_test": 3.0}
    assert found.settings.providers == {"aws": ProviderSettings(back_off_seconds=5, account_back_off_seconds=accounts)}


def test_patterns_of_artifacts_are_read_as_java_writes_them_and_refused_if_they_are_none(tmp_path: Path) -> None:
    text = "[ci-artifacts.jar]\npattern = '(?<name>.+)-(?<version>[0-9].*)[.]jar'\n"

    found = read(tmp_path, text).settings.ci_artifacts["jar"].compiled().fullmatch("shop-web-1.2.jar")

    assert found is not None
    assert found.groupdict() == {"name": "shop-web", "version": "1.2"}
    assert "'(' is no pattern" in refused(tmp_path, "", "ci-artifacts.jar.pattern=(")[0]
    assert "has neither a group `name`" in refused(tmp_path, "", "ci-artifacts.jar.pattern=.*")[0]


def test_an_empty_section_means_its_defaults(tmp_path: Path) -> None:
    assert read(tmp_path, "[server]\n[registry]\n").settings == Settings()


def test_unknown_keys_are_all_named_with_the_nearest_that_exist(tmp_path: Path) -> None:
    assert refused(
        tmp_path,
        "[server]\nprot = 1\n[qqqq]\nzzzz = 1\n[load-balancers.x]\nadress = 1",
        "regstry.port=1",
        GENNAKER_SERVER__HOSTT="x",
    ) == [
        "There is no setting 'server.prot' (from gennaker.toml). Did you mean server.port?",
        "There is no setting 'qqqq.zzzz' (from gennaker.toml). `gennaker config show` lists all.",
        "There is no setting 'load-balancers.x.adress' (from gennaker.toml). Did you mean load-balancers?",
        "There is no setting 'server.hostt' (from environment). Did you mean server.host?",
        "There is no setting 'regstry.port' (from flag). Did you mean registry.port?",
    ]


@pytest.mark.parametrize(
    ("toml", "flag", "said"),
    [
        ("[server\n", "", "is not valid TOML"),
        ("[server]\nport = 1\nport = 2\n", "", "is not valid TOML"),
        ('[server]\nport = "many"\n', "", "port is 'many' (from gennaker.toml): it must be a whole number."),
        ("server = 5\n", "", "There is no setting 'server'"),
        ("", "server.port", "has no value"),
        ("", "server.port=x", "The setting server.port is 'x' (from flag): it must be a whole number."),
        ("", 'webhook-hosts=["a"', "it must be a list."),
        ("", "webhook-hosts=[1]", "The setting webhook-hosts[0] is [1] (from flag): it must be text."),
        ("[ci.j]\naddress = 'x'", "", "The setting ci.j: it lacks `type`."),
        ("[ci.j]\ntype = 'jenkins'", "ci.j.poll-seconds=0", "ci.j.poll-seconds is '0' (from flag): it must be"),
        ("", "server.port=-1", "The setting server.port is '-1' (from flag): it must be a whole number of at least 0."),
        ("", "registry.port=65536", "a whole number of at most 65535. Its default is 5000."),
        ("", "mail.port=99999999", "The setting mail.port is '99999999' (from flag): it must be a whole number of at"),
        ("", "mail.port=0", "a whole number of at least 1. Its default is 25."),
        ("", "engine.concurrent-tasks=0", "The setting engine.concurrent-tasks is '0' (from flag): it must be a whole"),
        (
            "[metrics]\nscrape-seconds = 0",
            "",
            "The setting metrics.scrape-seconds is 0 (from gennaker.toml): it must be",
        ),
        ("", "metrics.scrape-seconds=nan", "a number of more than 0. Its default is 1.0."),
        ("", "registry.poll-seconds=inf", "a number of at most 604800. Its default is 1.0."),
        ("", "store.lease-seconds=-1", "a number of more than 0. Its default is 15.0."),
        (
            "",
            "registry.account=",
            "a name of letters, digits, dots, hyphens and underscores. Its default is 'local-reg",
        ),
        ("", "engine.time-zone=Mars/Olympus", "The setting engine.time-zone is 'Mars/Olympus', which this machine"),
        ("", "engine.time-zone=", "Set it to one like Europe/Berlin or UTC."),
        ("", "engine.time-zone=../etc/passwd", "Set it to one like Europe/Berlin or UTC."),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, toml: str, flag: str, said: str) -> None:
    (problem,) = refused(tmp_path, toml, *([flag] if flag else []))

    assert said in problem


def test_all_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    flags = ("regstry.port=1", "engine.concurrent-tasks=0", "mail.port=70000", "engine.time-zone=x", "server.port=1")

    said = refused(tmp_path, "[ci.j]\ntype = 'jenkins'\n[ci.k]\ntype = 'other'", *flags)

    assert [re.findall(r"[a-z]+\.[a-z-]+", one)[0] for one in said] == [
        "regstry.port",
        "ci.k",
        "engine.concurrent-tasks",
        "mail.port",
        "engine.time-zone",
    ]


@pytest.mark.parametrize(
    "flag",
    [
        "engine.concurrent-tasks=1",
        "metrics.scrape-seconds=0.1",
        "mail.port=65535",
        "server.port=0",
        "registry.account=a",
        "engine.time-zone=Europe/Berlin",
        "webhooks.redirects=0",
    ],
)
def test_the_ends_of_the_ranges_will_do(tmp_path: Path, flag: str) -> None:
    assert read(tmp_path, "", flag).sources[flag.partition("=")[0]] == "flag"


def test_a_value_that_may_be_secret_is_not_repeated(tmp_path: Path) -> None:
    said = refused(tmp_path, "[preconfigured-webhooks.x]\nlabel = 'x'\ncustom-headers.Key = 12345")

    assert said == ["The setting preconfigured-webhooks.x.custom-headers[...]: it must be text."]


def test_a_file_that_is_no_text_is_said(tmp_path: Path) -> None:
    (tmp_path / "gennaker.toml").write_bytes(b"\xff\xfe")
    assert "is not valid TOML" in refused(tmp_path)[0]


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Refused, match="There is no settings file"):
        configuration.read(data=tmp_path, file=tmp_path / "other.toml", environment={})
    with pytest.raises(Refused, match="There is no settings file"):
        configuration.read(data=tmp_path, environment={"GENNAKER_CONFIG": str(tmp_path / "other.toml")})


def test_a_data_folder_that_is_a_file_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(Refused, match=r"file is a file, or lies below one\. Name a folder with --data\."):
        configuration.read(data=tmp_path / "file", environment={})


def test_other_variables_are_none_of_ours(tmp_path: Path) -> None:
    assert read(tmp_path, GENNAKER_DATA="x", GENNAKER_TEST_KILL_POINTS="x", PATH="x").settings == Settings()


def test_the_data_folder_is_the_flags_else_the_environments_else_the_users() -> None:
    home = {"XDG_DATA_HOME": "/xdg"}
    assert configuration.data_folder(Path("/flag"), {"GENNAKER_DATA": "/env", **home}) == Path("/flag")
    assert configuration.data_folder(None, {"GENNAKER_DATA": "/env", **home}) == Path("/env")
    assert configuration.data_folder(None, home) == Path("/xdg/gennaker")
    assert configuration.data_folder(None, {}) == Path.home() / ".local/share/gennaker"
    assert configuration.data_folder(Path("relative"), {}).is_absolute()


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://ada:secret@db/gennaker", "postgresql://ada:****@db/gennaker"),
        ("postgresql://ada:se@cret@db/gennaker", "postgresql://ada:****@db/gennaker"),
        ("postgresql://ada@db:5432/gennaker", "postgresql://ada@db:5432/gennaker"),
        ("", ""),
    ],
)
def test_a_password_is_not_shown(tmp_path: Path, url: str, shown: str) -> None:
    configured = configuration.read(data=tmp_path, flags=[f"store.url={url}"], environment={})

    assert configured.settings.store.url == url
    assert configuration.shown(configured.settings)["store.url"] == shown


def test_an_account_of_containers_has_registries_and_secrets_of_chosen_names(tmp_path: Path) -> None:
    found = read(
        tmp_path,
        '[docker.prod]\naddress = "tcp://10.0.0.7:2376"\n[docker.prod.secrets]\ndatabase = "/etc/db"\n'
        '[[docker.prod.registries]]\nhost = "registry.example"\nusername = "deploy"\npassword-file = "/etc/p"\n',
    )

    prod = found.settings.docker["prod"]
    assert (prod.address, prod.secrets) == ("tcp://10.0.0.7:2376", {"database": "/etc/db"})
    assert [one.host for one in prod.registries] == ["registry.example"]
