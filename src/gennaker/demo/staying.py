"""Staying: what is left running after the story, to play with until Ctrl-C."""

import shlex
import time

from gennaker.demo.server import DemoServer
from gennaker.demo.telling import Teller
from gennaker.transport.client import Client

_LOOKS_EVERY_SECONDS = 0.5


def until_ctrl_c(server: DemoServer, client: Client, teller: Teller) -> None:
    """Says where the page is and returns after Ctrl-C, or when somebody has stopped the server.

    Both are good ends; a server that has ended badly fails the demo.
    """
    link = client.post("/api/v1/links")
    url = link.get("url") if isinstance(link, dict) else ""
    teller.say(
        f"\nEverything is left running. The page: {url}\n"
        f"Commands find it by --data, e.g. {shlex.join(('gennaker', 'link', '--data', str(server.data)))}\nCtrl-C ends all of it."
    )
    try:
        while server.is_running():
            time.sleep(_LOOKS_EVERY_SECONDS)
    except KeyboardInterrupt:
        return
    status = server.wait_for_end(0)
    teller.check("the server was stopped and has ended well", holds=status == 0, found=f"status {status}")
