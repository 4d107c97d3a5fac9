"""What the scraper folder offers."""

from gennaker.interfaces.plugins import Plugin
from gennaker.plugins.scraper import scraping
from gennaker.plugins.scraper.source import EmbeddedSource

plugin = Plugin(name="scraper", metrics=(EmbeddedSource.of,), services=(scraping.service,))
