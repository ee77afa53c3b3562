"""The page in headless Chromium: drawn and dropped images, keyboard, phone, no other server."""

import base64
import io

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.compose import make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_deep import CNNClassifier, MLPClassifier, to_onnx

pytestmark = pytest.mark.browser

RNG = np.random.default_rng(0)
EVIL = "<script>window.evil = 1</script>"
QUOTE = "\"'><img src=x onerror='window.evil = 2'>"
FRAME = pd.DataFrame(
    {
        "age": RNG.normal(40, 9, 60),
        EVIL: RNG.choice(["Bonn", QUOTE], 60),
        "owner": RNG.random(60) > 0.5,
    }
)
LABELS = np.array([EVIL, QUOTE])[(FRAME["age"] > 40).astype(int)]
QUICK = {"max_epochs": 2, "random_state": 0}


def bars(n=90):
    """Images of a bright bar, upright or level, and which it is."""
    images, labels = np.zeros((n, 12, 10, 1), np.uint8), []
    for i, image in enumerate(images):
        at, upright = RNG.integers(2, 8), i % 2 == 0
        image[:, at : at + 2] = 255 * upright
        image[at : at + 2] = np.maximum(image[at : at + 2], 255 * (not upright))
        labels.append("upright" if upright else "level")
    return images, np.array(labels)


IMAGES, KINDS = bars()


@pytest.fixture(scope="module")
def fitted():
    prepare = make_column_transformer(
        (StandardScaler(), ["age"]),
        (OneHotEncoder(), [EVIL]),
        ("passthrough", ["owner"]),
    )
    people = make_pipeline(prepare, MLPClassifier((6,), **QUICK)).fit(FRAME, LABELS)
    drawn = CNNClassifier((8,), max_epochs=40, random_state=0).fit(IMAGES, KINDS)
    colours = RNG.integers(0, 256, (30, 6, 5, 3)).astype(np.uint8)
    photos = CNNClassifier((3,), **QUICK).fit(colours, np.arange(30) % 3)
    return {
        "people": (people, FRAME),
        "drawn": (drawn, IMAGES),
        "photos": (photos, colours),
    }


@pytest.fixture(scope="module")
def folder(fitted, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browser")
    for name, (model, X) in fitted.items():
        to_onnx(model, X, folder / f"{name}.onnx")
    return folder


@pytest.fixture(scope="module")
def url(folder, running_server):
    return running_server([folder]).url


@pytest.fixture(autouse=True)
def desktop(browser):
    browser.resize(1200, 800)


def submit(browser, form="form.card"):
    browser.run(f"document.querySelector({form + ' .primary'!r}).click()")
    browser.wait("location.hash === '#result' && document.readyState === 'complete'")


def result(browser):
    return browser.find("#result").text


def test_names_of_columns_and_classes_do_not_run(browser, url):
    browser.open(f"{url}/page/model/people")
    submit(browser)
    assert browser.find(".headline").text in (EVIL, QUOTE)
    assert EVIL in browser.find("main").text
    text = f'age,"{EVIL}",owner\n31,Bonn,true\n'
    browser.run("document.querySelector('#csv').value = arguments[0]", text)
    submit(browser, "form[data-csv]")
    assert EVIL in result(browser)
    assert browser.run("return window.evil === undefined")
    assert browser.run("return document.querySelectorAll('main img').length") == 0
    assert browser.console() == []


def test_nothing_is_asked_of_another_server(browser, url):
    for path in ("", "page/model/people", "page/model/drawn"):
        browser.open(f"{url}/{path}")
        names = browser.run(
            "return performance.getEntriesByType('resource').map(entry => entry.name)"
        )
        assert names
        assert all(name.startswith(url) for name in names)
        assert browser.console() == []


def test_a_row_is_filled_in_and_predicted_by_keyboard_alone(browser, url, fitted):
    from selenium.webdriver import ActionChains, Keys

    browser.open(f"{url}/page/model/people")
    browser.run("document.querySelector('#f0').focus()")
    everything = ActionChains(browser.driver)
    everything.key_down(Keys.CONTROL).send_keys("a").key_up(Keys.CONTROL)
    everything.send_keys("55.5", Keys.TAB, "Bonn", Keys.TAB, "true")
    everything.send_keys(Keys.TAB, Keys.ENTER).perform()
    browser.wait("location.hash === '#result'")
    row = pd.DataFrame([{"age": 55.5, EVIL: "Bonn", "owner": True}])
    assert browser.find(".headline").text == fitted["people"][0].predict(row)[0]
    # A screen reader is led to the answer.
    assert browser.run("return document.activeElement.id") == "result"


def test_a_fault_is_shown_at_its_input_and_what_was_filled_in_is_kept(browser, url):
    browser.open(f"{url}/page/model/people")
    browser.run("document.querySelector('form.card').noValidate = true")
    browser.run("document.querySelector('#f0').value = ''")
    browser.run("document.querySelector('#f2').value = 'true'")
    browser.run("document.querySelector('form.card .primary').click()")
    browser.wait("document.querySelector('#f0-fault')")
    assert "missing" in browser.find("#f0-fault").text
    assert browser.run("return document.querySelector('#f2').value") == "true"


def draw(browser, upright):
    from selenium.webdriver import ActionChains

    sheet = browser.find("canvas.sheet")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", sheet)
    width, height = sheet.size["width"], sheet.size["height"]
    dx, dy = (0, height // 2 - 4) if upright else (width // 2 - 4, 0)
    chain = ActionChains(browser.driver, duration=50)
    chain.move_to_element_with_offset(sheet, -dx, -dy).click_and_hold()
    chain.move_by_offset(dx, dy).move_by_offset(dx, dy).release().perform()


@pytest.mark.parametrize("upright", [True, False])
def test_a_drawn_image_is_predicted(browser, url, upright):
    browser.open(f"{url}/page/model/drawn")
    draw(browser, upright)
    submit(browser)
    assert browser.find(".headline").text == ("upright" if upright else "level")
    assert browser.console() == []


def seen(browser):
    """Pixels of what the model sees."""
    address = browser.run(
        "return document.querySelector('canvas.seen').toDataURL('image/png')"
    )
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.split(",")[1]))))


def test_a_chosen_file_of_the_right_size_is_predicted_as_its_pixels(
    browser, url, fitted, tmp_path
):
    model, images = fitted["photos"]
    Image.fromarray(images[0]).save(tmp_path / "photo.png")
    browser.open(f"{url}/page/model/photos")
    browser.find("#file").send_keys(str(tmp_path / "photo.png"))
    browser.wait("document.querySelector('[name=image]').value !== ''")
    np.testing.assert_array_equal(seen(browser)[..., :3], images[0])
    submit(browser)
    p = model.predict_proba(images[:1])[0]
    assert f"{100 * p.max():.1f} %" in result(browser)


def test_a_chosen_file_of_another_size_is_scaled_to_what_the_model_takes(
    browser, url, tmp_path
):
    large = np.kron(IMAGES[1, :, :, 0], np.ones((9, 9))).astype(np.uint8)
    Image.fromarray(large).save(tmp_path / "large.jpg", quality=95)
    browser.open(f"{url}/page/model/drawn")
    browser.find("#file").send_keys(str(tmp_path / "large.jpg"))
    browser.wait("document.querySelector('[name=image]').value !== ''")
    difference = np.abs(seen(browser)[..., 0].astype(int) - IMAGES[1, :, :, 0])
    assert difference.mean() < 16
    submit(browser)
    assert browser.find(".headline").text == "level"


def test_a_cleared_sheet_is_no_image(browser, url):
    browser.open(f"{url}/page/model/drawn")
    draw(browser, True)
    browser.run("document.querySelector('.tools button').click()")
    submit(browser)
    assert "There is no image" in browser.find("form.card .fault").text


def test_a_drawing_can_be_changed_after_its_prediction(browser, url):
    browser.open(f"{url}/page/model/drawn")
    draw(browser, True)
    submit(browser)
    browser.wait("document.querySelector('[name=image]').value !== ''")
    before = seen(browser)
    assert before[..., 0].max() > 200
    draw(browser, False)
    assert (seen(browser)[..., 0] > 100).sum() > (before[..., 0] > 100).sum() + 4


@pytest.mark.parametrize("path", ["", "page/model/people", "page/model/drawn"])
def test_a_phone_shows_the_page_without_scrolling_sideways(browser, url, path):
    browser.resize(360, 740)
    browser.open(f"{url}/{path}")
    if "people" in path:
        submit(browser)
        browser.run("document.querySelector('details').open = true")
    assert browser.run("return document.documentElement.scrollWidth") <= 360
    small = browser.run(
        "return [...document.querySelectorAll('main input, main select, main button')]"
        ".filter(e => e.offsetParent && e.type !== 'range' && e.offsetHeight < 40)"
        ".map(e => e.outerHTML)"
    )
    assert small == []


def test_text_stands_out_from_its_ground_by_day_and_by_night(browser, url):
    for scheme in ("light", "dark"):
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        browser.driver.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": features}
        )
        browser.open(f"{url}/page/model/people")
        submit(browser)
        assert browser.run_async(CONTRAST) == []
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


# Texts whose contrast is below 4.5, the bound of WCAG AA.
CONTRAST = """
const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
const numbers = colour => colour.match(/[0-9.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
function ground(element) {
  for (; element; element = element.parentElement) {
    const found = getComputedStyle(element).backgroundColor;
    if (numbers(found).length === 3) return found;
  }
  return "rgb(255, 255, 255)";
}
return [...document.querySelectorAll("main *, header *")].filter(element => {
  const own = [...element.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
  if (!own || !element.offsetParent) return false;
  const a = luminance(numbers(getComputedStyle(element).color));
  const b = luminance(numbers(ground(element)));
  return (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05) < 4.5;
}).map(element => element.outerHTML);
"""


def test_who_has_no_token_signs_in(browser, folder, running_server):
    server = running_server([folder], env={"SKLEARN_DEEP_TOKEN": "sesame"})
    browser.open(server.url)
    for typed, message in (("wrong", "not the token"), ("sesame", None)):
        browser.find("#token").send_keys(typed)
        browser.run("document.querySelector('form.card .primary').click()")
        if message:
            browser.wait("document.querySelector('#fault')")
    browser.wait("document.querySelector('nav a')")
    browser.driver.get(f"{server.url}/page/model/people")
    submit(browser)
    browser.run("document.querySelector('header button').click()")
    browser.wait("document.querySelector('#token')")
    assert "people" not in browser.run("return document.body.innerText")
