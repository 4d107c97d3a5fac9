"""Media types of reports: told by what they are, else by how their files end. No machine's own table is asked, so that all agree."""

import posixpath

_OF_KINDS = {"junit": "application/xml", "sarif": "application/sarif+json", "sbom": "application/json"}
_OF_ENDINGS = {
    ".csv": "text/csv",
    ".gif": "image/gif",
    ".html": "text/html",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".json": "application/json",
    ".log": "text/plain",
    ".md": "text/markdown",
    ".mp4": "video/mp4",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain",
    ".webm": "video/webm",
    ".webp": "image/webp",
    ".xml": "application/xml",
    ".zip": "application/zip",
}


def of_report(kind: str, path: str) -> str:
    """`kind` as `run_job.kind_of` has it."""
    ending = posixpath.splitext(path)[1].lower()
    return _OF_KINDS.get(kind) or _OF_ENDINGS.get(ending, "application/octet-stream")
