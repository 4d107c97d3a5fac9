"""Runs the cart."""

import os
import sys

from storefront.service import run

from cart import app

if __name__ == "__main__":
    sys.exit(run(app.create(os.environ), os.environ))
