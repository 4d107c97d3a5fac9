"""The shop in a browser, by Selenium as Debian has it; `docs/guides/test-stages.md` shows the same.

It stands for a user's test, with nothing of ours in it, and is run by the machine's pytest, not by the project's.
"""

import os
import pathlib

import pytest
from selenium import webdriver
from selenium.webdriver.common.by import By


@pytest.fixture
def browser(request):  # noqa: ANN001, ANN201 - as a user writes it
    options = webdriver.ChromeOptions()
    for word in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"):
        options.add_argument(word)
    driver = webdriver.Chrome(options=options)
    driver.get(os.environ["BASE_URL"])
    yield driver
    pathlib.Path("results/files").mkdir(parents=True, exist_ok=True)
    driver.save_screenshot(f"results/files/{request.node.name}.png")
    driver.quit()


def test_the_shop_says_its_version(browser):  # noqa: ANN001, ANN201 - as a user writes it
    assert browser.find_element(By.TAG_NAME, "body").text.startswith("1.2.3:")
