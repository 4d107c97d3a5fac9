"""A post-receive hook that tells Gennaker of every push, as GitHub would.

For bare repositories on a machine of one's own. Run as the repository's `hooks/post-receive`; configured in the
repository's own git configuration:

    gennaker.url      http://127.0.0.1:8084/webhooks/git/github
    gennaker.secret   the trigger's secret; empty: no signature
    gennaker.project  owner, e.g. acme
    gennaker.slug     repository name, e.g. storefront

The body has the parts of GitHub's push payload that triggers read. A delivery that nobody answers, or with 5xx, is tried
again and again for some seconds, under the same delivery id; what is not answered with 2xx in the end is said on the pusher's terminal. The
push itself is never undone by it. Only the standard library is used: the hook runs wherever git runs.
"""

import hashlib
import hmac
import http.client
import json
import os
import shlex
import subprocess  # git itself, with fixed arguments
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

_NO_HASH = "0" * 40
_PAUSES_SECONDS = (0.5,) * 8 + (1.0,) * 16
"""Between the attempts, which go on for 20 seconds: a server that is killed and started again, even several times, is
told all the same."""
_UNAVAILABLE = 500
_TIMEOUT_SECONDS = 30
_MOST_COMMITS = 20


def payload(before: str, after: str, ref: str, *, project: str, slug: str) -> dict[str, object]:
    """GitHub's push payload for one updated ref."""
    commits = _commits(before, after)
    return {
        "ref": ref,
        "before": before,
        "after": after,
        "created": before == _NO_HASH,
        "deleted": after == _NO_HASH,
        "forced": _NO_HASH not in (before, after) and not _is_ancestor(before, after),
        "repository": {
            "name": slug,
            "full_name": f"{project}/{slug}",
            "owner": {"name": project, "login": project},
            "contents_url": f"https://api.invalid/repos/{project}/{slug}/contents/{{+path}}",
        },
        "pusher": {"name": commits[-1]["author"]["name"] if commits else ""},  # type: ignore[index] # made below
        "commits": commits,
        "head_commit": commits[-1] if commits else None,
    }


def deliver(url: str, secret: str, body: bytes, delivery_id: str, *, pauses: Sequence[float] = _PAUSES_SECONDS) -> str:
    """Sends one delivery, again after each pause while nobody can answer; returns what went wrong, or nothing."""
    if not url.startswith(("http://", "https://")):
        return "gennaker.url is not set to an http address; set it with `git config gennaker.url URL`."
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": delivery_id}
    if secret:
        for name, kind in (("X-Hub-Signature", hashlib.sha1), ("X-Hub-Signature-256", hashlib.sha256)):
            prefix = "sha1" if kind is hashlib.sha1 else "sha256"
            headers[name] = f"{prefix}={hmac.new(secret.encode(), body, kind).hexdigest()}"
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    reason, may_help = _attempt(request)
    for pause in pauses:
        if not may_help:
            break
        time.sleep(pause)
        reason, may_help = _attempt(request)
    return reason


def _attempt(request: urllib.request.Request) -> tuple[str, bool]:
    """What went wrong, or nothing; and whether trying again may help."""
    # The server is the owner's own, mostly on this machine: proxies of the environment don't lead there.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(request, timeout=_TIMEOUT_SECONDS):
            return "", False
    except urllib.error.HTTPError as error:
        with error:
            said = error.read(500).decode(errors="replace")
        return f"{error.code} {said}", error.code >= _UNAVAILABLE
    except (OSError, http.client.HTTPException) as error:
        return str(error) or type(error).__name__, True


def _commits(before: str, after: str) -> list[dict[str, object]]:
    if after == _NO_HASH:
        return []
    span = after if before == _NO_HASH else f"{before}..{after}"
    hashes = _git("rev-list", "--reverse", f"--max-count={_MOST_COMMITS}", span).split()
    return [_commit(commit) for commit in hashes]


def _commit(commit: str) -> dict[str, object]:
    name, mail, at, subject = _git("show", "-s", "--format=%an%n%ae%n%aI%n%s", commit).split("\n", 3)
    files: dict[str, list[str]] = {"A": [], "M": [], "D": []}
    # -z: names as they are, not quoted. -c: of a merge, what neither side had; the rest stands in its own commits.
    listed = _git("diff-tree", "-r", "-z", "-c", "--root", "--no-commit-id", "--no-renames", "--name-status", commit)
    words = listed.rstrip("\0").split("\0") if listed else []
    for kind, path in zip(words[::2], words[1::2], strict=True):
        files[kind if kind in ("A", "D") else "M"].append(path)
    return {
        "id": commit,
        "message": subject.strip(),
        "timestamp": at,
        "author": {"name": name, "email": mail},
        "added": files["A"],
        "modified": files["M"],
        "removed": files["D"],
    }


def _is_ancestor(before: str, after: str) -> bool:
    return subprocess.run(["git", "merge-base", "--is-ancestor", before, after], check=False).returncode == 0


def _setting(name: str) -> str:
    found = subprocess.run(["git", "config", "--get", f"gennaker.{name}"], capture_output=True, check=False)
    return found.stdout.decode(errors="replace").strip()


def _git(*arguments: str) -> str:
    done = subprocess.run(["git", *arguments], capture_output=True, check=True)
    return done.stdout.decode(errors="replace")  # messages and names may be in any encoding


def main() -> int:
    """Reads git's `before after ref` lines and tells of each."""
    failures = 0
    for line in sys.stdin:
        before, after, ref = line.split()
        try:
            problem = _tell(before, after, ref)
        except subprocess.CalledProcessError as error:
            problem = f"git {error.cmd[1]} failed: {error.stderr.decode(errors='replace').strip()}"
        if problem:
            again = (
                f"cd {shlex.quote(str(Path.cwd()))} && echo {before} {after} {shlex.quote(ref)} | hooks/post-receive"
            )
            sys.stderr.write(f"Gennaker was not told of this push: {problem}\nTo tell it again: {again}\n")
            failures += 1
    return 1 if failures else 0


def _tell(before: str, after: str, ref: str) -> str:
    made = payload(before, after, ref, project=_setting("project"), slug=_setting("slug"))
    body = json.dumps(made, separators=(",", ":")).encode()
    return deliver(_setting("url"), _setting("secret"), body, os.urandom(16).hex())


if __name__ == "__main__":
    sys.exit(main())
