"""Writes the picture of the page of ``to_web`` that the documentation shows.

The gallery builds without a browser, so the picture is kept in the repository; this makes it
again, with chromium, chromedriver and selenium, and the npm package onnxruntime-web:

    python docs/_page_picture.py PATH_OF_THE_UNPACKED_PACKAGE
"""

import sys
import tempfile
from pathlib import Path

from PIL import Image

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tests"), str(ROOT / "examples")]

from browser import Browser, serve, start_browser  # noqa: E402

PICTURE = ROOT / "docs/_static/page_digits.png"
READY = "/good|bad/.test(document.getElementById('status').className)"


def main(runtime: str) -> None:
    """Write the page of the example, open it, and take its picture."""
    from plot_browser import X_train, network

    from sklearn_deep import to_web

    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        to_web(
            network,
            X_train,
            folder / "page",
            title="Which digit is it?",
            runtime=runtime,
        )
        driver = start_browser(folder)
        try:
            browser = Browser(driver)
            with serve(folder) as address:
                browser.resize(1100, 780)
                browser.open(f"{address}/page/")
                browser.wait(READY)
                browser.run("document.querySelectorAll('.thumb')[8].click()")
                browser.run_async("await new Promise(done => setTimeout(done, 500))")
                browser.screenshot(PICTURE, whole=False)
        finally:
            driver.quit()
    picture = Image.open(PICTURE).convert("RGB")
    picture.quantize(64, dither=Image.Dither.NONE).save(PICTURE, optimize=True)


if __name__ == "__main__":
    main(sys.argv[1])
