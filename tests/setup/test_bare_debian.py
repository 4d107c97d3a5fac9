"""A bare Debian 12, in a chroot: what an ordinary user is told, what root gets installed, and that set-up then works.

The tree is made by debootstrap (half a minute) and kept, packed, under `${XDG_CACHE_HOME:-~/.cache}/gennaker/debian`; each run
unpacks a fresh one. Only the copy in use gets the machine's package-client settings, never the kept one.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

pytestmark = [pytest.mark.root, pytest.mark.debian, pytest.mark.slow, pytest.mark.xdist_group("alone")]

TARGET = "demo"
"""What the user makes."""
SUITE = "bookworm"
PACKAGES = "ca-certificates,git,make,python3"
"""Beyond debootstrap's minimal variant: what a user of Gennaker must have; python3-venv is what Debian leaves out."""
CLIENT_SETTINGS = (
    *("/etc/apt/apt.conf.d", "/etc/apt/auth.conf.d", "/etc/apt/sources.list", "/etc/apt/sources.list.d"),
    *("/etc/apt/keyrings", "/etc/apt/trusted.gpg", "/etc/apt/trusted.gpg.d", "/etc/apt/preferences.d"),
    *("/etc/pip.conf", "/etc/npmrc", "/usr/etc/npmrc", "/etc/ssl/certs", "/etc/resolv.conf", "/etc/hosts"),
)
USER_SETTINGS = (".npmrc", ".config/pip/pip.conf", ".pip/pip.conf", ".config/uv/uv.toml")
CLIENT_VARIABLES = ("PIP_", "UV_", "NPM_", "NODE_EXTRA_CA_CERTS", "SSL_CERT", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SECONDS = 2400
_TRIES = 3


@dataclass(frozen=True, kw_only=True)
class Debian:
    """An unpacked tree with a user `developer`."""

    tree: Path

    def run(self, command: str, *, user: str) -> subprocess.CompletedProcess[str]:
        """A shell command inside; its processes and mounts end with it."""
        home = self.home(user)
        settings = {
            name: value
            for name, value in os.environ.items()
            if name.startswith(CLIENT_VARIABLES) or name.lower().endswith("_proxy")
        }
        path = "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"
        inside = {"HOME": str(home), "USER": user, "PATH": path, "LANG": "C.UTF-8"}
        own_world = ["unshare", "--mount", "--pid", "--fork", "--kill-child", f"--mount-proc={self.tree}/proc"]
        into_the_tree = ["chroot", f"--userspec={user}", str(self.tree), "sh", "-c", f'cd "$HOME" && {command}']
        return subprocess.run(
            [*own_world, *into_the_tree],
            check=False,
            env=settings | inside,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
        )

    def put(self, checkout: Path, *, user: str) -> None:
        """The project into the user's home."""
        shutil.copytree(checkout, self.path(self.home(user)) / "gennaker", symlinks=True)
        owned = self.run(f"chown -R {user} {self.home(user)}", user="root")
        assert owned.returncode == 0, owned.stderr

    def home(self, user: str) -> Path:
        return Path("/root") if user == "root" else Path("/home") / user

    def path(self, inside: Path) -> Path:
        return self.tree / inside.relative_to("/")


@pytest.fixture
def debian(tmp_path: Path) -> Iterator[Debian]:
    tree = tmp_path / "debian"
    tree.mkdir()
    subprocess.run(
        ["tar", "--extract", "--file", str(kept_tree()), "--directory", str(tree)], check=True, timeout=SECONDS
    )
    try:
        made = Debian(tree=tree)
        created = made.run("useradd --create-home --shell /bin/sh developer", user="root")
        assert created.returncode == 0, created.stderr
        take_over_settings(made)
        yield made
    finally:
        # pytest keeps the last three temporary folders: that would be 600 MB.
        shutil.rmtree(tree)


def take_over_settings(debian: Debian) -> None:
    for settings in map(Path, CLIENT_SETTINGS):
        copy_settings(settings, debian.path(settings))
    for user in ("root", "developer"):
        for name in USER_SETTINGS:
            copy_settings(Path.home() / name, debian.path(debian.home(user)) / name)


def copy_settings(source: Path, target: Path) -> None:
    """Replaces, never writes through: the tree's links are absolute, and from outside lead to our own files."""
    if source.is_dir():
        if target.exists():
            shutil.rmtree(target)
        shutil.copytree(source, target, ignore_dangling_symlinks=True)
    elif source.exists():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.unlink(missing_ok=True)
        shutil.copy(source, target)


def kept_tree() -> Path:
    """The packed tree; made and renamed into place where it is missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "gennaker" / "debian"
    kept = cache / f"{SUITE}-{PACKAGES.replace(',', '-')}.tar"
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        fresh = cache / f"{kept.name}.{os.getpid()}"
        bootstrap = ["debootstrap", "--variant=minbase", f"--include={PACKAGES}", SUITE, f"{fresh}.tree", mirror()]
        for _ in range(_TRIES):  # a mirror may break off
            made = subprocess.run(bootstrap, check=False, capture_output=True, text=True, timeout=SECONDS)
            if made.returncode == 0:
                break
            shutil.rmtree(f"{fresh}.tree", ignore_errors=True)
        assert made.returncode == 0, made.stdout[-2000:] + made.stderr
        without_archives = ["--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*"]
        pack = ["tar", "--create", "--one-file-system", *without_archives, "--file", str(fresh)]
        subprocess.run([*pack, "--directory", f"{fresh}.tree", "."], check=True, timeout=SECONDS)
        shutil.rmtree(f"{fresh}.tree")
        fresh.rename(kept)
    return kept


def mirror() -> str:
    """Where this machine gets Debian 12 from."""
    listing = ["apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Created-By: Packages"]
    lines = subprocess.run(listing, check=True, capture_output=True, text=True, timeout=SECONDS).stdout.splitlines()
    found = [line.split()[0] for line in lines if line.split()[1:] == [SUITE, "main"]]
    assert found, f"apt has no source of Debian {SUITE}: {lines}"
    return found[0]


_DEMO_AND_WHAT_IT_LEFT = f"""
cd gennaker && make {TARGET} ARGS="--data $HOME/of-the-demo --rate 150" || exit 1
echo "left running:"
grep -la of-the-demo /proc/[0-9]*/cmdline
exit 0
"""
"""A script in a file: the name that is looked for must not stand in the shell's own command line."""


def test_a_user_is_told_what_is_missing_root_gets_it_and_then_it_works(debian: Debian, checkout: Path) -> None:
    debian.put(checkout, user="developer")

    refused = debian.run(f"cd gennaker && make {TARGET}", user="developer")

    assert refused.returncode != 0
    sentence, of_make = refused.stderr.strip().splitlines()
    assert "sudo apt-get install python3-venv'" in sentence
    assert of_make.startswith("make: ***")
    assert refused.stdout == ""

    as_root = debian.run("cd /home/developer/gennaker && make machine", user="root")

    assert as_root.returncode == 0, as_root.stdout + as_root.stderr
    assert "Installing Debian packages: python3-venv" in as_root.stdout

    script = debian.path(debian.home("developer")) / "demo.sh"
    script.write_text(_DEMO_AND_WHAT_IT_LEFT)
    as_user = debian.run("sh demo.sh", user="developer")

    assert as_user.returncode == 0, as_user.stdout + as_user.stderr
    assert "✗" not in as_user.stdout
    assert as_user.stdout.rstrip().endswith("left running:"), as_user.stdout
    answer = debian.run("gennaker/.venv/bin/gennaker --help", user="developer")
    assert answer.returncode == 0, answer.stderr
