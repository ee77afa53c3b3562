"""Pages in headless Chromium: each kind of pipeline equals Python, and the page can be used."""

import json
import subprocess
import tarfile
import time
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

from browser import serve
from sklearn_deep import MLPClassifier, to_web
from sklearn_deep.deployment.web._runtime import COMMAND
from web_pipelines import PIPELINES, QUICK

pytestmark = pytest.mark.browser

READY = "/good|bad/.test(document.getElementById('status').className)"


@pytest.fixture(scope="module")
def address(pages):
    with serve(pages) as address:
        yield address


def open_page(browser, address, name):
    browser.open(f"{address}/{quote(name)}/")
    browser.wait(READY, 60)
    browser.run_async("await window.page")
    return browser.run("return document.getElementById('status-text').textContent")


@pytest.fixture(scope="module", params=PIPELINES)
def status(request, browser, address):
    """What a page says when it has compared itself; the page stays open."""
    return open_page(browser, address, request.param)


# Equality with Python


def test_the_page_equals_python(browser, status):
    assert status.startswith("Equal to Python"), status
    assert browser.console() == []
    check = browser.run_async("return (await window.page).check")
    assert check["rows"] == 20
    assert check["labels"] == 0
    assert check["largest"] <= 1e-5


def test_images_and_series_are_known_as_such(pages):
    kinds = {
        name: json.loads((pages / name / "model.json").read_text())["input"]["kind"]
        for name in PIPELINES
    }
    assert {kinds[n] for n in ("images", "pixels", "colours", "flat images")} == {
        "image"
    }
    series = "series", "channels first", "unequal series", "convolutions of series"
    assert {kinds[n] for n in series} == {"series"}
    assert kinds["tokens"] == kinds["integer tokens"] == "tokens"
    assert kinds["texts"] == kinds["documents"] == "text"
    assert kinds["frame"] == kinds["scaler"] == "table"


# A person uses the page


def answer(browser):
    return browser.run("return document.getElementById('answer').innerText")


def test_a_row_is_typed_and_the_prediction_follows(browser, address, pages):
    open_page(browser, address, "frame")
    before = answer(browser)
    model, _ = PIPELINES["frame"]()
    row = {"age": 77, "income": None, "town": "Ulm", "sex": "m", "smokes": True}
    labels = {e.text: e.get_attribute("for") for e in all_of(browser, ".field > label")}
    fill(browser, labels["age"], "77")
    fill(browser, labels["income"], "")
    browser.find(f"#{labels['town']}").send_keys("Ulm")
    browser.find(f"#{labels['sex']}").send_keys("m")
    box = browser.find(f"#{labels['smokes']}")
    if not box.is_selected():
        box.click()
    shares = model.predict_proba(pd.DataFrame([row]).astype({"income": float}))[0]
    wanted = [f"{100 * share:.1f} %" for share in shares]
    browser.wait(f"document.getElementById('answer').innerText.includes('{wanted[0]}')")
    found = answer(browser)
    assert all(share in found for share in wanted)
    assert found != before


def all_of(browser, selector):
    return browser.driver.find_elements("css selector", selector)


def fill(browser, element_id, text):
    """Type a text in place of another, by the keyboard."""
    from selenium.webdriver.common.keys import Keys

    box = browser.find(f"#{element_id}")
    box.send_keys(Keys.CONTROL, "a")
    box.send_keys(Keys.DELETE)
    if text:
        box.send_keys(text)


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        ("age", "", "Must be filled in"),
        ("age", "1.5", "Must be an integer"),
    ],
)
def test_a_fault_stands_beside_its_field(browser, address, column, text, message):
    open_page(browser, address, "frame")
    labels = {e.text: e.get_attribute("for") for e in all_of(browser, ".field > label")}
    fill(browser, labels[column], text)
    browser.wait("document.querySelector('[aria-invalid=true]')")
    field = browser.find("[aria-invalid=true]")
    described = field.get_attribute("aria-describedby").split()
    assert field.get_attribute("id") == labels[column]
    texts = [browser.find(f"#{i}").text for i in described if all_of(browser, f"#{i}")]
    assert message in texts


def test_a_category_that_the_model_refuses_is_not_offered(browser, address):
    open_page(browser, address, "frame")
    options = {
        label.text: [
            o.text for o in all_of(browser, f"#{label.get_attribute('for')} option")
        ]
        for label in all_of(browser, ".field > label")
    }
    assert options["sex"] == ["f", "m"]
    assert options["town"] == ["Bonn", "Köln", "Ulm", "(missing)", "Another value"]


def test_examples_fill_the_form(browser, address):
    open_page(browser, address, "frame")
    browser.find("#input-actions select").send_keys("Example 3")
    page = "const {model, live} = await window.page;"
    same = browser.run_async(
        page + "return [live.editor.read(), model.description.examples.rows[2]]"
    )
    assert same[0] == same[1]


def test_a_csv_file_is_predicted_and_the_results_are_downloaded(
    browser, address, tmp_path
):
    model, X = PIPELINES["frame"]()
    many = pd.concat([X] * 8, ignore_index=True)
    rows = many.assign(id=range(len(many)))
    rows.loc[5, "sex"] = "x"
    rows.to_csv(tmp_path / "people.csv", index=False)
    browser.download_into(tmp_path)
    open_page(browser, address, "frame")
    browser.find("#csv").send_keys(str(tmp_path / "people.csv"))
    browser.wait("!document.getElementById('download-line').hidden")
    assert "1 of them" in browser.find("#batch-status").text
    browser.find("#download").click()
    saved = tmp_path / "people_predictions.csv"
    wait_for(saved.exists)
    found = pd.read_csv(saved, keep_default_na=False)
    assert found["id"].tolist() == list(range(len(many)))
    assert "unknown to the model" in found["fault"][5]
    assert found["prediction"][5] == ""
    good = np.arange(len(many)) != 5
    shares = found.filter(like="probability").loc[good].astype(float).to_numpy()
    np.testing.assert_allclose(shares, model.predict_proba(many)[good], atol=1e-5)
    assert (found["prediction"][good] == model.predict(many)[good]).mean() > 0.99


def wait_for(condition, seconds=10):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.parametrize(
    "name",
    [
        "images",
        "unequal series",
        "texts",
        "tokens",
        "integer tokens",
        "tabular",
        "pixels",
    ],
)
def test_the_csv_to_start_from_gives_the_predictions_of_the_examples(
    browser, address, name
):
    open_page(browser, address, name)
    both = browser.run_async(
        "const {model, batch} = await window.page;"
        "await batch.predict(batch.template(), 'examples.csv');"
        "const direct = await model.predict(model.description.examples.rows);"
        "return [batch.results, direct.map(a => a.parts[0].label)]"
    )
    lines = both[0].splitlines()
    column = lines[0].split(",").index("prediction")
    assert [line.split(",")[column] for line in lines[1:]] == both[1]


def test_a_csv_without_a_column_says_which(browser, address, tmp_path):
    (tmp_path / "other.csv").write_text("age;town\n3;Bonn\n")
    open_page(browser, address, "frame")
    browser.find("#csv").send_keys(str(tmp_path / "other.csv"))
    browser.wait("document.getElementById('batch-status').textContent")
    assert "sex, smokes are not among them" in browser.find("#batch-status").text


def test_an_image_is_drawn_and_read_from_a_file(browser, address, tmp_path):
    from PIL import Image
    from selenium.webdriver import ActionChains

    open_page(browser, address, "images")
    read = "return (await window.page).live.editor.read()"
    first = browser.run_async(read)
    board = browser.find(".board")
    moves = ActionChains(browser.driver).move_to_element_with_offset(board, -60, -60)
    moves.click_and_hold().move_by_offset(120, 120).release().perform()
    drawn = np.reshape(browser.run_async(read), (8, 8))
    assert not np.array_equal(drawn.ravel(), first)
    drawn = drawn if drawn[0, 7] < 0.5 else 1 - drawn  # light on dark, or dark on light
    assert np.diag(drawn)[2:6].min() > 0.5
    assert drawn[0, 7] < 0.1
    picture = np.zeros((40, 40), np.uint8)
    picture[:20] = 255
    Image.fromarray(picture).save(tmp_path / "half.png")
    browser.find("#image-file").send_keys(str(tmp_path / "half.png"))
    time.sleep(0.5)
    half = np.reshape(browser.run_async(read), (8, 8))
    np.testing.assert_allclose(half[:3], 1, atol=0.02)
    np.testing.assert_allclose(half[5:], 0, atol=0.02)


def test_the_page_works_when_the_server_is_gone(browser, address):
    open_page(browser, address, "frame")
    browser.offline()
    try:
        labels = browser.run_async(
            "const {model, batch} = await window.page;"
            "await batch.predict(batch.template(), 'a.csv');"
            "return (await model.predict(model.description.examples.rows)).length"
        )
        assert labels == 20
        assert "20 rows" in browser.find("#batch-status").text
    finally:
        browser.offline(False)


def test_nothing_can_be_loaded_from_elsewhere(browser, address, pages):
    with serve(pages) as other:
        open_page(browser, address, "scaler")
        with pytest.raises(AssertionError, match="Failed to fetch"):
            browser.run_async(f"await fetch('{other}/scaler/model.json')")
        assert any("Content Security Policy" in line for line in browser.console())


def test_a_changed_model_is_not_called_equal(browser, runtime, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 3))
    folder = to_web(
        MLPClassifier((4,), **QUICK).fit(X, X[:, 0] > 0), X, tmp_path / "page"
    )
    (folder / "onnxruntime").symlink_to(runtime / "dist")
    description = json.loads((folder / "model.json").read_text())
    shares = description["examples"]["expected"][1]["values"]
    shares[3][0] += 1e-3
    (folder / "model.json").write_text(json.dumps(description))
    with serve(tmp_path) as address:
        status = open_page(browser, address, "page")
    assert status == "Differs from Python by 1.0e-3"


# Without the runtime


def test_without_the_runtime_the_page_names_the_command(browser, runtime, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 3))
    folder = to_web(
        MLPClassifier((4,), **QUICK).fit(X, X[:, 0] > 0), X, tmp_path / "page"
    )
    with serve(tmp_path) as address:
        status = open_page(browser, address, "page")
        assert "onnxruntime-web is not in this folder" in status
        command = browser.find("pre").text
        assert command == COMMAND
        archive, unpack = (
            tmp_path / "page/onnxruntime-web-1.30.0.tgz",
            command.split("&&"),
        )
        with tarfile.open(archive, "w:gz") as tar:  # in place of npm's
            tar.add(runtime / "dist", "package/dist")
        subprocess.run(" && ".join(unpack[1:]), shell=True, cwd=folder, check=True)
        assert open_page(browser, address, "page").startswith("Equal to Python")


def test_the_runtime_is_copied_from_an_unpacked_package(browser, runtime, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 3))
    model = MLPClassifier((4,), **QUICK).fit(X, X[:, 0] > 0)
    to_web(model, X, tmp_path / "page", runtime=runtime)
    with serve(tmp_path) as address:
        assert open_page(browser, address, "page").startswith("Equal to Python")


# Accessible

ROLES = [
    "textbox",
    "spinbutton",
    "slider",
    "combobox",
    "checkbox",
    "button",
    "image",
    "link",
    "list",
    "progressbar",
    "Date",
]


@pytest.mark.parametrize(
    "name", ["frame", "tabular", "images", "series", "texts", "colours"]
)
def test_everything_that_can_be_used_has_a_name(browser, address, name):
    open_page(browser, address, name)
    found = browser.accessible(*ROLES)
    assert len(found) > 3
    assert [role for role, named in found if not named.strip()] == []


CONTRAST = """
const light = (c) => { c /= 255; return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4; };
const numbers = (text) => text.match(/[\\d.]+/g).map(Number);
const luminance = ([r, g, b]) => 0.2126 * light(r) + 0.7152 * light(g) + 0.0722 * light(b);
const ground = (node) => {
  for (let n = node; n; n = n.parentElement) {
    const c = numbers(getComputedStyle(n).backgroundColor);
    if (c.length < 4 || c[3] > 0.9) return c;
  }
  return [255, 255, 255];
};
const low = [];
for (const node of document.querySelectorAll('body *')) {
  const own = [...node.childNodes].some((n) => n.nodeType === 3 && n.data.trim());
  if (!own || !node.offsetParent) continue;
  const a = luminance(numbers(getComputedStyle(node).color)), b = luminance(ground(node));
  const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
  if (ratio < 4.5) low.push([node.tagName, node.textContent.slice(0, 30), ratio]);
}
return low;
"""


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", ["frame", "images", "series", "several tasks"])
def test_text_has_contrast_in_both_colour_schemes(browser, address, name, dark):
    browser.dark(dark)
    try:
        open_page(browser, address, name)
        assert browser.run(CONTRAST) == []
    finally:
        browser.dark(False)


def test_a_phone_needs_no_sideways_scrolling(browser, status):
    browser.resize(360, 740)
    try:
        assert browser.run("return document.documentElement.scrollWidth") <= 360
    finally:
        browser.resize(1280, 900)


def test_the_form_is_filled_by_the_keyboard_alone(browser, address):
    from selenium.webdriver import ActionChains
    from selenium.webdriver.common.keys import Keys

    open_page(browser, address, "frame")
    seen = []
    for _ in range(12):
        ActionChains(browser.driver).send_keys(Keys.TAB).perform()
        seen.append(
            browser.run(
                "const a = document.activeElement;"
                "return a.id || a.className || a.textContent.trim()"
            )
        )
    assert seen[0] == "skip"
    assert [name for name in seen if name.startswith("field-")] == [
        "field-0",
        "field-1",
        "field-2",
        "field-3",
        "field-4",
    ]


def test_a_page_of_a_wide_table_takes_a_line_of_values(browser, runtime, tmp_path):
    X = np.random.default_rng(0).normal(size=(60, 300))
    model = MLPClassifier((4,), **QUICK).fit(X, X[:, 0] > 0)
    to_web(model, X, tmp_path / "page", runtime=runtime)
    with serve(tmp_path) as address:
        assert open_page(browser, address, "page").startswith("Equal to Python")
        assert browser.find("textarea").get_attribute("value").count(",") == 299
