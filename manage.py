#!/usr/bin/env python
"""The shop's commands. Servers that the environment does not name are found, or run embedded."""

import os
import sys

from shop.embedded.command_line import add_dotenv, run

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
    add_dotenv(os.environ)
    run(sys.argv)
