"""What the process has read and built that servers are forked from (forked_server.py)."""

from gennaker import app
from gennaker.model import first_use
from gennaker.settings import ServerSettings
from gennaker.web import application

app.installed_plugins()
application.routes(ServerSettings().webhook_body_limit_bytes)
first_use.learn()
