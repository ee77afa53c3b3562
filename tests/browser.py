"""Headless Chromium for tests of pages, and a server of static files for them."""

import os
import shutil
import threading
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

# Where `make test-browser` unpacks the npm package onnxruntime-web.
RUNTIME = Path(
    os.environ.get(
        "ONNXRUNTIME_WEB", Path(__file__).parents[1] / ".cache/onnxruntime-web/package"
    )
)

# Nothing but the page under test is asked for, and nothing is remembered.
FLAGS = """
--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-dev-shm-usage
--disable-background-networking --disable-component-update --disable-sync
--disable-default-apps --hide-scrollbars --force-device-scale-factor=1
--window-size=1280,900
"""


class Browser:
    """A driver of Chromium, with what the tests of pages ask most.

    Attributes
    ----------
    driver : selenium.webdriver.Chrome
    """

    def __init__(self, driver):
        self.driver = driver

    def open(self, address):
        """Open a page, with an empty console."""
        self.driver.get("about:blank")
        self.console()
        self.driver.get(address)

    def run(self, code, *arguments):
        """Run JavaScript, and return what it returns."""
        return self.driver.execute_script(code, *arguments)

    def run_async(self, code, *arguments, seconds=60):
        """Run the body of an async function; an error in it is an error here."""
        self.driver.set_script_timeout(seconds)
        found = self.driver.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            f"(async function () {{ {code} }}).apply(null, arguments)"
            ".then(value => done([true, value]), error => done([false, String(error)]));",
            *arguments,
        )
        assert found[0], found[1]
        return found[1]

    def find(self, selector):
        """The one element of a CSS selector."""
        found = self.driver.find_elements("css selector", selector)
        assert len(found) == 1, f"{len(found)} elements of {selector!r}"
        return found[0]

    def wait(self, condition, seconds=20):
        """Wait until an expression of JavaScript is true; return its value."""
        from selenium.common.exceptions import TimeoutException
        from selenium.webdriver.support.ui import WebDriverWait

        waiting = WebDriverWait(self.driver, seconds, 0.05)
        try:
            return waiting.until(lambda d: d.execute_script(f"return {condition}"))
        except TimeoutException:
            text = self.run("return document.body.innerText")[:2000]
            raise AssertionError(
                f"{condition} did not become true in {seconds} s; console:"
                f" {self.console()}; page: {text}"
            ) from None

    def console(self):
        """Errors and warnings of the console since the last call."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def resize(self, width, height):
        """Set the size of the page, also one that is narrower than a window can be."""
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False},
        )

    def screenshot(self, path, whole=True):
        """Write a picture of the page, of its whole length by default."""
        if whole:
            width, height = self.run(
                "return [innerWidth, document.documentElement.scrollHeight]"
            )
            self.resize(width, height)
        self.driver.save_screenshot(str(path))

    def download_into(self, folder):
        """Save what the page gives to download in a folder."""
        self.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior",
            {"behavior": "allow", "downloadPath": str(folder)},
        )

    def dark(self, is_dark=True):
        """Ask the page for its dark colours, or for its light ones."""
        scheme = {
            "name": "prefers-color-scheme",
            "value": "dark" if is_dark else "light",
        }
        self.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [scheme]}
        )

    def accessible(self, *roles):
        """Names of the nodes of some roles, as a screen reader has them."""
        self.driver.execute_cdp_cmd("Accessibility.enable", {})
        tree = self.driver.execute_cdp_cmd("Accessibility.getFullAXTree", {})
        return [
            (node["role"]["value"], node.get("name", {}).get("value", ""))
            for node in tree["nodes"]
            if not node["ignored"] and node["role"]["value"] in roles
        ]

    def offline(self, is_offline=True):
        """Cut the page off from every server, or join it again."""
        self.driver.execute_cdp_cmd("Network.enable", {})
        self.driver.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            {
                "offline": is_offline,
                "latency": 0,
                "downloadThroughput": -1,
                "uploadThroughput": -1,
            },
        )


def start_browser(folder):
    """Start Chromium with a new profile in a folder; skip the test where it is absent."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is absent")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    chromedriver = shutil.which("chromedriver")
    if chromium is None or chromedriver is None:
        pytest.skip("chromium or chromedriver is absent")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in [*FLAGS.split(), f"--user-data-dir={folder / 'profile'}"]:
        options.add_argument(flag)
    downloads = {"download.default_directory": str(folder / "downloads")}
    options.add_experimental_option("prefs", downloads)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(executable_path=chromedriver)
    return webdriver.Chrome(options=options, service=service)


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    """Headless Chromium, one for the tests of a module."""
    driver = start_browser(tmp_path_factory.mktemp("chromium"))
    try:
        driver.set_page_load_timeout(60)
        yield Browser(driver)
    finally:
        driver.quit()


@pytest.fixture(scope="session")
def runtime():
    """Path of the unpacked npm package onnxruntime-web."""
    if not (RUNTIME / "package.json").exists():
        pytest.skip(
            f"onnxruntime-web is absent from {RUNTIME}; make test-browser gets it"
        )
    return RUNTIME


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@contextmanager
def serve(folder):
    """Serve a folder on a free port of the loopback interface; give the address."""
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(_Quiet, directory=str(folder))
    )
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
