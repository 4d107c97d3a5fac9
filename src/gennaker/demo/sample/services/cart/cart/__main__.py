"""Runs the cart."""

import os

from storefront.http_server import serve

from cart import app

serve(app.create(os.environ.get("GENNAKER_VERSION", "dev"), os.environ.get("GENNAKER_SERVER_GROUP", "none")))
