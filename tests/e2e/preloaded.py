"""What the process has read and built that servers are forked from (forked_server.py)."""

from gennaker import app
from gennaker.settings import ServerSettings
from gennaker.web import application

app.installed_plugins()
application.routes(ServerSettings().webhook_body_limit_bytes)
