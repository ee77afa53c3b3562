// What the page cannot do without JavaScript: draw an image, shrink a dropped one, drop a CSV.
"use strict";

function make(name, properties, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

// Drawing: a sheet to draw on, and beside it what the model will see.

function startDrawing(place) {
  const width = Number(place.dataset.width), height = Number(place.dataset.height);
  const gray = "gray" in place.dataset;
  const form = place.closest("form"), file = form.elements.file, image = form.elements.image;
  const scale = Math.max(1, Math.min(280 / width, 280 / height));
  const sheet = make("canvas", {
    className: "sheet", width: Math.round(width * scale), height: Math.round(height * scale),
  });
  sheet.setAttribute("role", "img");
  sheet.setAttribute("aria-label", "Sheet to draw on; a file can be chosen below instead");
  const seen = make("canvas", { className: "seen", width, height });
  seen.setAttribute("role", "img");
  seen.setAttribute("aria-label", `What the model sees, ${width} x ${height} pixels`);
  const pen = sheet.getContext("2d"), small = seen.getContext("2d", { willReadFrequently: true });

  const paper = make("select", { id: "paper" },
    make("option", { value: "#000000", textContent: "White on black" }),
    make("option", { value: "#ffffff", textContent: "Black on white" }));
  const colour = make("input", { id: "pen", type: "color", value: "#ffffff" });
  const size = make("input", { id: "size", type: "range", min: Math.ceil(scale / 2), max: Math.ceil(5 * scale), value: Math.ceil(1.8 * scale) });
  const clear = make("button", { type: "button", textContent: "Clear" });
  const labelled = (text, input) =>
    make("div", { className: "field" }, make("label", { htmlFor: input.id, textContent: text }), input);

  function show() {
    small.imageSmoothingQuality = "high";
    small.drawImage(sheet, 0, 0, width, height);
    if (gray) toGray();
    image.value = seen.toDataURL("image/png");
  }
  function toGray() {
    const pixels = small.getImageData(0, 0, width, height);
    for (let i = 0; i < pixels.data.length; i += 4) {
      const [r, g, b] = pixels.data.subarray(i, i + 3);
      pixels.data.fill(Math.round((299 * r + 587 * g + 114 * b) / 1000), i, i + 3);
    }
    small.putImageData(pixels, 0, 0);
  }
  function wipe() {
    pen.fillStyle = paper.value;
    pen.fillRect(0, 0, sheet.width, sheet.height);
    colour.value = paper.value === "#000000" ? "#ffffff" : "#000000";
    small.clearRect(0, 0, width, height);
    small.drawImage(sheet, 0, 0, width, height);
    image.value = "";
  }
  function at(event) {
    const box = sheet.getBoundingClientRect();
    return [(event.clientX - box.left) * sheet.width / box.width,
            (event.clientY - box.top) * sheet.height / box.height];
  }
  let drawing = false;
  sheet.addEventListener("pointerdown", event => {
    drawing = true;
    sheet.setPointerCapture(event.pointerId);
    pen.lineWidth = Number(size.value);
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = colour.value;
    pen.beginPath();
    pen.moveTo(...at(event));
    pen.lineTo(...at(event));
    pen.stroke();
  });
  sheet.addEventListener("pointermove", event => {
    if (!drawing) return;
    pen.lineTo(...at(event));
    pen.stroke();
  });
  for (const end of ["pointerup", "pointercancel"]) {
    sheet.addEventListener(end, () => { if (drawing) { drawing = false; file.value = ""; show(); } });
  }
  async function take(chosen) {
    if (!chosen) return;
    const picture = await createImageBitmap(chosen).catch(() => null);
    if (!picture) { image.value = ""; return; }
    const ratio = Math.min(sheet.width / picture.width, sheet.height / picture.height);
    const [w, h] = [picture.width * ratio, picture.height * ratio];
    pen.fillStyle = paper.value;
    pen.fillRect(0, 0, sheet.width, sheet.height);
    pen.imageSmoothingQuality = "high";
    pen.drawImage(picture, (sheet.width - w) / 2, (sheet.height - h) / 2, w, h);
    small.imageSmoothingQuality = "high";
    // From the picture itself: pixels of a file of the right size stay as they are.
    small.fillStyle = paper.value;
    small.fillRect(0, 0, width, height);
    const fit = Math.min(width / picture.width, height / picture.height);
    const [x, y] = [picture.width * fit, picture.height * fit];
    small.drawImage(picture, (width - x) / 2, (height - y) / 2, x, y);
    if (gray) toGray();
    image.value = seen.toDataURL("image/png");
  }
  file.addEventListener("change", () => take(file.files[0]));
  sheet.addEventListener("dragover", event => { event.preventDefault(); sheet.classList.add("dropping"); });
  sheet.addEventListener("dragleave", () => sheet.classList.remove("dropping"));
  sheet.addEventListener("drop", event => {
    event.preventDefault();
    sheet.classList.remove("dropping");
    file.value = "";
    take(event.dataTransfer.files[0]);
  });
  paper.addEventListener("change", wipe);
  clear.addEventListener("click", () => { file.value = ""; wipe(); });
  // The file as it is would be of another size; what the model sees is sent instead.
  form.addEventListener("formdata", event => {
    if (image.value) event.formData.delete("file");
  });

  place.classList.add("drawing");
  place.append(sheet, make("div", { className: "tools" },
    make("span", { className: "hint", textContent: "The model sees" }), seen,
    labelled("Colours", paper), gray ? "" : labelled("Pen", colour), labelled("Width of the pen", size), clear));
  place.hidden = false;
  const former = image.value;
  wipe();
  if (former) fetchFormer(former);
  function fetchFormer(address) {
    const picture = new Image();
    picture.onload = () => {
      pen.imageSmoothingEnabled = false;
      pen.drawImage(picture, 0, 0, sheet.width, sheet.height);
      pen.imageSmoothingEnabled = true;
      small.drawImage(picture, 0, 0);
      image.value = address;
    };
    picture.src = address;
  }
}

// A CSV file can be dropped on the text.

function takeFiles(text) {
  text.addEventListener("dragover", event => event.preventDefault());
  text.addEventListener("drop", async event => {
    const [file] = event.dataTransfer.files;
    if (!file) return;
    event.preventDefault();
    text.value = await file.text();
  });
}

document.querySelectorAll("[data-drawing]").forEach(startDrawing);
document.querySelectorAll("form[data-csv] textarea").forEach(takeFiles);
if (location.hash === "#result") document.getElementById("result")?.focus();
