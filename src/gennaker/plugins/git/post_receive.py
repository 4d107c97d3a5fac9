"""A post-receive hook that tells Gennaker of every push, as GitHub would.

For bare repositories on a machine of one's own. Run as the repository's `hooks/post-receive`; configured in the
repository's own git configuration:

    gennaker.url      http://127.0.0.1:8084/webhooks/git/github
    gennaker.secret   the trigger's secret; empty: no signature
    gennaker.project  owner, e.g. acme
    gennaker.slug     repository name, e.g. storefront

The body has the parts of GitHub's push payload that triggers read. A delivery that isn't answered with 2xx is said on
the pusher's terminal and tried three times; the push itself is never undone by it. Only the standard library is used:
the hook runs wherever git runs.
"""

import hashlib
import hmac
import json
import os
import subprocess  # git itself, with fixed arguments
import sys
import time
import urllib.error
import urllib.request

_NO_HASH = "0" * 40
_ATTEMPTS = 3
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


def deliver(url: str, secret: str, body: bytes, delivery_id: str) -> str:
    """Sends one delivery; returns what went wrong, or nothing."""
    headers = {"Content-Type": "application/json", "X-GitHub-Event": "push", "X-GitHub-Delivery": delivery_id}
    if secret:
        for name, kind in (("X-Hub-Signature", hashlib.sha1), ("X-Hub-Signature-256", hashlib.sha256)):
            prefix = "sha1" if kind is hashlib.sha1 else "sha256"
            headers[name] = f"{prefix}={hmac.new(secret.encode(), body, kind).hexdigest()}"
    request = urllib.request.Request(url, data=body, headers=headers, method="POST")
    reason = ""
    for attempt in range(_ATTEMPTS):
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS):
                return ""
        except urllib.error.HTTPError as error:
            return f"{error.code} {error.read(500).decode(errors='replace')}"
        except OSError as error:
            reason = str(error)
            time.sleep(attempt + 1)
    return reason


def _commits(before: str, after: str) -> list[dict[str, object]]:
    if after == _NO_HASH:
        return []
    span = after if before == _NO_HASH else f"{before}..{after}"
    hashes = _git("rev-list", "--reverse", f"--max-count={_MOST_COMMITS}", span).split()
    return [_commit(commit) for commit in hashes]


def _commit(commit: str) -> dict[str, object]:
    name, mail, at, subject = _git("show", "-s", "--format=%an%n%ae%n%aI%n%s", commit).split("\n", 3)
    files: dict[str, list[str]] = {"A": [], "M": [], "D": []}
    for line in _git(
        "diff-tree", "-r", "--root", "--no-commit-id", "--no-renames", "--name-status", commit
    ).splitlines():
        kind, _, path = line.partition("\t")
        files.setdefault(kind[:1] if kind[:1] in "AD" else "M", []).append(path)
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
    found = subprocess.run(["git", "config", "--get", f"gennaker.{name}"], capture_output=True, text=True, check=False)
    return found.stdout.strip()


def _git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], capture_output=True, text=True, check=True).stdout


def main() -> int:
    """Reads git's `before after ref` lines and tells of each."""
    failures = 0
    for line in sys.stdin:
        before, after, ref = line.split()
        made = payload(before, after, ref, project=_setting("project"), slug=_setting("slug"))
        body = json.dumps(made, separators=(",", ":")).encode()
        delivery_id = os.urandom(16).hex()
        problem = deliver(_setting("url"), _setting("secret"), body, delivery_id)
        if problem:
            sys.stderr.write(f"Gennaker was not told of this push: {problem}\n")
            failures += 1
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
