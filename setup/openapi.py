"""The API's document: writes docs/api/openapi.json from the routes.

.venv/bin/python setup/openapi.py
"""

from pathlib import Path

from gennaker.web import application

FILE = Path(__file__).resolve().parent.parent / "docs" / "api" / "openapi.json"

if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(application.document())
