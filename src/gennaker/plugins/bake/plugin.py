"""What the folder of baking offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.bake import bake_manifest

plugin = Plugin(name="bake", stages=(bake_manifest.stage,))
