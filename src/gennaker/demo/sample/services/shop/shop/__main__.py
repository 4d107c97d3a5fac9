"""Runs the shop."""

import os
import sys

from storefront.service import run

from shop import app

if __name__ == "__main__":
    sys.exit(run(app.create(os.environ), os.environ))
