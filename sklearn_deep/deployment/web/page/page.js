// A model written by sklearn_deep.to_onnx, run by onnxruntime in the browser, and a page for it.
//
// The page starts itself in the index.html of its folder. Another page of yours can import
// openModel and predict without it:
//
//     import { openModel } from "./page.js";
//     const model = await openModel();
//     const [answer] = await model.predict([{ age: 31, town: "Bonn" }]);

const RUNTIME = "onnxruntime/ort.wasm.bundle.min.mjs";
const WASM = "onnxruntime/ort-wasm-simd-threaded.wasm";
const ROWS_AT_ONCE = 256;
const TOLERANCE = 1e-5;
const NOT_A_TIME = -(2n ** 63n);

// The model: rows to tensors, tensors to answers

// Opens the model of a folder; the folder of this file by default.
export async function openModel(base = new URL(".", import.meta.url)) {
  const at = (name) => new URL(name, base).href;
  const description = await fetchJson(at("model.json"));
  const ort = await loadRuntime(at, description);
  const content = new Uint8Array(await (await fetchOk(at("model.onnx"))).arrayBuffer());
  // Optimizing again in the page costs more than it saves, and can round differently.
  const session = await ort.InferenceSession.create(content, {
    executionProviders: ["wasm"], logSeverityLevel: 3,
  });
  return new Model(description, session, ort, at);
}

async function fetchOk(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error(`${address} is absent (${answer.status})`);
  return answer;
}

const fetchJson = async (address) => (await fetchOk(address)).json();

class MissingRuntime extends Error {}

async function loadRuntime(at, description) {
  let found = false;
  try { found = (await fetch(at(RUNTIME), { method: "HEAD" })).ok; } catch { found = false; }
  if (!found) throw new MissingRuntime(description.runtime_command);
  const ort = await import(at(RUNTIME));
  ort.env.wasm.numThreads = 1; // more need headers that static servers do not send
  ort.env.wasm.wasmPaths = { wasm: at(WASM) };
  ort.env.logLevel = "error";
  return ort;
}

class Model {
  constructor(description, session, ort, at) {
    Object.assign(this, { description, session, ort, at });
    this.metadata = description.metadata;
    this.input = description.input;
    this.fields = description.fields;
  }

  // Predicts rows: an answer for each, or { refused: true }.
  async predict(rows) {
    const outputs = await this.run(rows);
    return rows.map((_, i) => answerOf(this.metadata, outputs, i));
  }

  // Computes the outputs of the graph, { name: { data, dims } }, and the lengths of sequences.
  async run(rows) {
    const alone = this.input.kind === "series" && !this.input.sequence && this.input.open;
    const size = alone ? 1 : Math.min(ROWS_AT_ONCE, rows.length);
    const parts = [];
    for (let start = 0; start < rows.length; start += size) {
      parts.push(await this.runPiece(rows.slice(start, start + size)));
    }
    return parts.length === 1 ? parts[0] : joined(parts);
  }

  async runPiece(rows) {
    const feeds = this.feeds(rows);
    const results = await this.session.run(feeds);
    const outputs = {};
    for (const [name, tensor] of Object.entries(results)) {
      outputs[name] = { data: tensor.data, dims: tensor.dims };
    }
    outputs.lengths = this.metadata.by_step ? this.lengths(rows) : null;
    return outputs;
  }

  lengths(rows) {
    const form = this.metadata.sequences;
    if (form === null) return null;
    if (form.kind !== "text") return rows.map((row) => row.length);
    return rows.map((row) => form.analyzer === "char" ? [...row].length : words(row).length);
  }

  feeds(rows) {
    if (this.metadata.sequences) return this.sequenceFeeds(rows);
    const feeds = {};
    for (const part of this.metadata.inputs) {
      feeds[part.name] = part.columns.length ? this.columns(part, rows) : this.arrays(part, rows);
    }
    return feeds;
  }

  columns(part, rows) {
    const width = part.columns.length;
    const data = buffer(part.dtype, rows.length * width);
    const encode = ENCODERS[part.dtype], { missing } = this.metadata;
    part.columns.forEach((j, k) => {
      const key = Array.isArray(rows[0]) ? j : this.fields[j].name;
      for (let i = 0; i < rows.length; i++) data[i * width + k] = encode(rows[i][key] ?? null, missing);
    });
    return this.tensor(part.dtype, data, [rows.length, width]);
  }

  arrays(part, rows) {
    const flat = rows.map((row) => row.flat(Infinity));
    const open = part.row_shape.indexOf(null);
    const known = part.row_shape.reduce((size, n) => size * (n ?? 1), 1);
    const shape = part.row_shape.map((n, i) => i === open ? flat[0].length / known : n);
    const size = shape.reduce((a, b) => a * b, 1);
    const data = buffer(part.dtype, rows.length * size);
    flat.forEach((row, i) => {
      if (row.length !== size) throw new Fault(`must have ${size} values, got ${row.length}`);
      row.forEach((value, k) => { data[i * size + k] = this.encode(part.dtype, value); });
    });
    return this.tensor(part.dtype, data, [rows.length, ...shape]);
  }

  sequenceFeeds(rows) {
    const { kind } = this.metadata.sequences;
    if (kind === "text" || kind === "document") {
      return { X: new this.ort.Tensor("string", rows.map(String), [rows.length]) };
    }
    const [part] = this.metadata.inputs;
    const channels = kind === "numbers" ? this.metadata.sequences.n_channels : null;
    const longest = Math.max(...rows.map((row) => row.length));
    const step = channels ?? 1;
    const data = buffer(part.dtype, rows.length * longest * step);
    if (part.dtype === "string") data.fill("");
    rows.forEach((row, i) => row.forEach((value, t) => [value].flat().forEach((v, c) => {
      data[(i * longest + t) * step + c] = this.encode(part.dtype, v);
    })));
    const dims = [rows.length, longest, ...(channels === null ? [] : [channels])];
    const lengths = BigInt64Array.from(rows, (row) => BigInt(row.length));
    return {
      X: this.tensor(part.dtype, data, dims),
      lengths: new this.ort.Tensor("int64", lengths, [rows.length]),
    };
  }

  encode(dtype, value) {
    return ENCODERS[dtype](value, this.metadata.missing);
  }

  tensor(dtype, data, dims) {
    const type = dtype.includes("64[us]") ? "int64" : dtype;
    return new this.ort.Tensor(type, data, dims);
  }

  // Compares the examples of the folder with what Python predicted for them.
  async check() {
    const { rows, expected } = this.description.examples;
    const outputs = await this.run(rows);
    let largest = 0, labels = 0;
    for (const one of expected) {
      const found = differenceOf(one, outputs);
      largest = Math.max(largest, found.largest);
      labels += found.labels;
    }
    return { largest, labels, rows: rows.length, equal: labels === 0 && largest <= TOLERANCE };
  }
}

const ARRAYS = {
  float32: Float32Array, float64: Float64Array, int64: BigInt64Array, bool: Uint8Array,
  uint8: Uint8Array, string: Array, "datetime64[us]": BigInt64Array, "timedelta64[us]": BigInt64Array,
};
const buffer = (dtype, size) => new ARRAYS[dtype](size);

const float = (value) => value === null ? NaN : Number(value);
const ENCODERS = {
  float32: float,
  float64: float,
  int64: (value) => BigInt(value),
  bool: (value) => value ? 1 : 0,
  uint8: Number,
  string: (value, missing) => value === null ? missing : String(value),
  "datetime64[us]": (value) => value === null ? NOT_A_TIME : microseconds(value),
  "timedelta64[us]": (value) => value === null ? NOT_A_TIME : BigInt(Math.round(value * 1e6)),
};

const ISO = /^(\d{4})-(\d\d)(?:-(\d\d))?(?:[T ](\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,6})\d*)?)?)?)?$/;

function microseconds(text) {
  const found = ISO.exec(text);
  if (!found) throw new Fault("must be a date such as 2024-05-31");
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map((n) => Number(n ?? 0));
  const date = new Date(0);
  date.setUTCFullYear(year, month - 1, day || 1);
  date.setUTCHours(hour, minute, second);
  if (date.getUTCMonth() !== month - 1) throw new Fault("is no date of the calendar");
  return BigInt(date.getTime()) * 1000n + BigInt((found[7] ?? "").padEnd(6, "0"));
}

const words = (text) => text.split(/[\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+/).filter(Boolean);

function joined(parts) {
  const outputs = { lengths: parts.some((p) => p.lengths) ? parts.flatMap((p) => p.lengths) : null };
  for (const name of Object.keys(parts[0])) {
    if (name === "lengths") continue;
    const pieces = parts.map((part) => part[name]);
    const [first] = pieces;
    const longest = Math.max(...pieces.map((piece) => piece.dims[1] ?? 0));
    const even = pieces.map((piece) => widened(piece, longest));
    const size = even.reduce((sum, piece) => sum + piece.data.length, 0);
    const data = Array.isArray(first.data) ? [] : new first.data.constructor(size);
    let offset = 0;
    for (const piece of even) {
      if (Array.isArray(data)) data.push(...piece.data);
      else data.set(piece.data, offset);
      offset += piece.data.length;
    }
    const n = even.reduce((sum, piece) => sum + piece.dims[0], 0);
    outputs[name] = { data, dims: [n, ...even[0].dims.slice(1)] };
  }
  return outputs;
}

// Steps of a piece, filled up to those of the longest row of all pieces.
function widened(piece, longest) {
  const [n, width, ...rest] = piece.dims;
  if (width === undefined || width === longest) return piece;
  const step = rest.reduce((a, b) => a * b, 1);
  const size = n * longest * step;
  const data = Array.isArray(piece.data) ? new Array(size).fill("") : new piece.data.constructor(size);
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < width * step; k++) data[i * longest * step + k] = piece.data[i * width * step + k];
  }
  return { data, dims: [n, longest, ...rest] };
}

// The values of one row of an output.
function rowOf(output, i) {
  const width = output.dims.slice(1).reduce((a, b) => a * b, 1);
  return Array.from(output.data.slice(i * width, (i + 1) * width), plain);
}

const plain = (value) => typeof value === "bigint" ? Number(value) : value;

function isRefused(metadata, outputs, i) {
  const role = metadata.refusals;
  if (!role) return false;
  const output = outputs[role.name];
  const values = rowOf(output, i);
  const steps = outputs.lengths ? outputs.lengths[i] * (values.length / output.dims[1]) : values.length;
  const marks = output.data instanceof Uint8Array;
  return values.slice(0, steps).some((v) => marks ? v === 1 : Number.isNaN(v));
}

// What the model says about a row, as parts: one per task.
function answerOf(metadata, outputs, i) {
  if (isRefused(metadata, outputs, i)) return { refused: true, parts: [] };
  if (metadata.tasks) {
    return { parts: metadata.tasks.map((task) => taskPart(task, outputs, i)) };
  }
  return { parts: [PARTS[metadata.task](metadata, outputs, i)] };
}

function taskPart(task, outputs, i) {
  if (!task.classes) return { title: task.name, numbers: rowOf(outputs[task.predict], i) };
  const [label] = rowOf(outputs[task.predict], i);
  const names = task.classes.values;
  const shares = task.predict_proba ? rowOf(outputs[task.predict_proba], i) : null;
  return { title: task.name, label: classOf(names, label), bars: shares && bars(names, shares) };
}

const PARTS = {
  classifier(metadata, outputs, i) {
    const labels = rowOf(outputs[metadata.outputs.predict.name], i);
    const names = metadata.classes.values;
    const role = metadata.outputs.predict_proba;
    const scores = metadata.outputs.decision_function;
    const output = outputs[(role ?? scores)?.name];
    const found = output ? rowOf(output, i) : [];
    if (metadata.by_step) return { steps: stepsOf(names, labels, found, outputs.lengths?.[i]) };
    if (metadata.multilabel) {
      const label = names.filter((_, k) => labels[k]).join(", ") || "none";
      return { label, several: true, bars: role && bars(names, found) };
    }
    const label = classOf(names, labels[0]);
    if (role) return { label, bars: bars(names, found) };
    return { label, scores: found.length === names.length ? bars(names, found) : [] };
  },
  regressor(metadata, outputs, i) {
    const numbers = rowOf(outputs[metadata.outputs.predict.name], i);
    if (metadata.by_step) {
      const length = outputs.lengths?.[i];
      return { steps: numbers.slice(0, length ?? numbers.length).map((n) => ({ label: shown(n) })) };
    }
    const std = metadata.outputs.std ? rowOf(outputs[metadata.outputs.std.name], i) : null;
    return { numbers, std, quantiles: metadata.target.quantiles ?? null };
  },
  transformer(metadata, outputs, i) {
    const code = rowOf(outputs[metadata.outputs.transform.name], i);
    const names = metadata.feature_names_out ?? code.map((_, k) => `output ${k}`);
    const part = { code: code.map((value, k) => ({ name: names[k] ?? `output ${k}`, value })) };
    const { predict, score_samples: score } = metadata.outputs;
    if (predict) [part.label] = rowOf(outputs[predict.name], i);
    if (score) [part.score] = rowOf(outputs[score.name], i);
    return part;
  },
};

const bars = (names, shares) => names.map((name, k) => ({ name: String(name), value: shares[k] }));

const sameLabel = (a, b) => String(a) === String(b) || Number(a) === Number(b);
const classOf = (names, label) => String(names.find((name) => sameLabel(name, label)) ?? label);

function stepsOf(names, labels, shares, length) {
  const width = shares.length / labels.length;
  return labels.slice(0, length ?? labels.length).map((label, t) => {
    const share = Math.max(...shares.slice(t * width, (t + 1) * width));
    return { label: classOf(names, label), share };
  });
}

// The largest difference of an output from what Python computed, of the output's scale.
function differenceOf(expected, outputs) {
  const output = outputs[expected.output];
  let largest = 0, labels = 0;
  expected.values.forEach((row, i) => {
    const wanted = [row].flat(Infinity);
    let got = rowOf(output, i);
    if (expected.last) got = got.slice(1); // the score of the second of two classes
    got = got.slice(0, wanted.length);
    wanted.forEach((value, k) => {
      if (expected.labels) labels += expected.tied[i] || sameLabel(value, got[k]) ? 0 : 1;
      else largest = Math.max(largest, gap(value, got[k]) / expected.scale);
    });
  });
  return { largest, labels };
}

function gap(wanted, got) {
  if (wanted === null) return Number.isNaN(got) ? 0 : Infinity;
  const found = Math.abs(Number(wanted) - got);
  return Number(wanted) === got ? 0 : Number.isNaN(found) ? Infinity : found;
}

// Text of forms and files to values, as the fields of the metadata say

class Fault extends Error {}

const READERS = {
  number: readNumber,
  duration: readNumber,
  integer(text, field = {}) {
    if (!/^[+-]?\d+(\.0*)?$/.test(text)) throw new Fault("must be an integer");
    const whole = BigInt(text.replace(/\..*|\+/g, ""));
    if (whole !== BigInt.asIntN(64, whole)) throw new Fault("does not fit into 64 bits");
    if (whole < (field.least ?? whole) || whole > (field.most ?? whole)) throw new Fault(`must be from ${field.least} to ${field.most}`);
    return Number.isSafeInteger(Number(whole)) ? Number(whole) : String(whole);
  },
  boolean(text) {
    const found = { true: true, false: false, 1: true, 0: false, "1.0": true, "0.0": false }[text.toLowerCase()];
    if (found === undefined) throw new Fault("must be true or false");
    return found;
  },
  date(text) { microseconds(text); return text; },
  text: (text) => text,
  category(text, field) {
    if (field.open === false && !field.choices.includes(text)) {
      throw new Fault(`"${text}" is unknown to the model; it knows ${field.choices.join(", ")}`);
    }
    return text;
  },
};

function readNumber(text) {
  const value = Number(text.replace(/^([+-]?)inf$/i, "$1Infinity"));
  if (Number.isNaN(value) && text.toLowerCase() !== "nan") throw new Fault("must be a number");
  return Number.isNaN(value) ? null : value;
}

function readValue(field, text, missing) {
  const raw = field.kind === "text" || field.kind === "category" ? text : text.trim();
  if (raw.trim() === "") {
    if (!field.missing) throw new Fault("must be filled in");
    return null;
  }
  if (raw === missing && "choices" in field && !field.choices.includes(raw)) return null;
  return READERS[field.kind](raw, field);
}

// CSV

function parseCsv(text) {
  const delimiter = delimiterOf(text);
  const rows = [];
  let row = [], cell = "", quoted = false;
  const endRow = () => {
    row.push(cell);
    if (row.length > 1 || row[0].trim() !== "") rows.push(row);
    row = []; cell = "";
  };
  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (quoted) {
      if (c === '"' && text[i + 1] === '"') { cell += '"'; i++; }
      else if (c === '"') quoted = false;
      else cell += c;
    } else if (c === '"' && cell === "") quoted = true;
    else if (c === delimiter) { row.push(cell); cell = ""; }
    else if (c === "\n" || c === "\r") { if (c === "\r" && text[i + 1] === "\n") i++; endRow(); }
    else cell += c;
  }
  if (cell !== "" || row.length) endRow();
  return rows;
}

function delimiterOf(text) {
  const line = text.slice(0, text.search(/[\r\n]|$/));
  const count = (c) => line.split(c).length;
  return [",", ";", "\t"].reduce((best, c) => count(c) > count(best) ? c : best);
}

const csvCell = (value) => /[",;\t\r\n]/.test(String(value)) ? `"${String(value).replaceAll('"', '""')}"` : String(value);
const csvLine = (cells) => cells.map((cell) => csvCell(cell ?? "")).join(",");

// Rows of a CSV file: { rows, faults } with a message for each row that cannot be read.
function rowsOfCsv(model, table) {
  const reader = { table: rowsOfTable, text: rowsOfText }[model.input.kind] ?? rowsOfNumbers;
  return reader(model, table);
}

function rowsOfTable(model, [header, ...lines]) {
  const names = (header ?? []).map((name) => name.trim().replace(/^\ufeff/, ""));
  const wanted = model.fields.filter((field) => field.used !== false);
  const absent = wanted.filter((field) => !names.includes(field.name) && !field.missing);
  if (absent.length) {
    const listed = absent.slice(0, 5).map((field) => field.name).join(", ");
    throw new Fault(`The first line must name the columns; ${listed} ${absent.length > 1 ? "are" : "is"} not among them.`);
  }
  const at = wanted.map((field) => [field, names.indexOf(field.name)]);
  return gathered(lines, (line) => {
    const row = {};
    for (const [field, k] of at) {
      try { row[field.name] = readValue(field, k < 0 ? "" : line[k] ?? "", model.metadata.missing); }
      catch (error) { throw new Fault(`${field.name} ${error.message}`); }
    }
    return row;
  });
}

function rowsOfText(model, table) {
  const header = table[0]?.length === 1 && /^\s*\ufeff?(text|x)\s*$/i.test(table[0][0]);
  return gathered(header ? table.slice(1) : table, (line) => line.join(","));
}

function rowsOfNumbers(model, table) {
  const numeric = (line) => line.every((cell) => cell.trim() === "" || !Number.isNaN(Number(cell)));
  const tokens = model.input.kind === "tokens" && !model.input.integers;
  const header = !tokens && table.length && !numeric(table[0]);
  return gathered(header ? table.slice(1) : table, (line) => rowOfCells(model, line));
}

function rowOfCells(model, cells) {
  const filled = cells.slice(0, cells.findLastIndex((cell) => cell.trim() !== "") + 1);
  if (model.input.kind === "tokens") return readTokens(model, filled.join(" "));
  const values = filled.map((cell) => readNumber(cell.trim()));
  return shapedRow(model, values);
}

// Values in the order of a flattened row, or of the steps of a sequence.
function shapedRow(model, values) {
  const { input } = model;
  if (input.kind === "image" || !input.open) {
    if (values.length !== input.size) throw new Fault(`has ${values.length} values instead of ${input.size}`);
    return values;
  }
  if (!values.length || values.length % input.channels) {
    throw new Fault(`has ${values.length} values, which are no steps of ${input.channels} channels`);
  }
  if (!input.sequence) return values;
  return chunks(values, input.channels);
}

function chunks(values, size) {
  const out = [];
  for (let i = 0; i < values.length; i += size) out.push(values.slice(i, i + size));
  return out;
}

function readTokens(model, text) {
  const tokens = words(text);
  if (!model.input.integers) return tokens;
  return tokens.map((token) => READERS.integer(token));
}

function gathered(lines, read) {
  const rows = [], faults = [];
  for (const line of lines) {
    try { rows.push(read(line)); faults.push(null); } catch (error) {
      if (!(error instanceof Fault)) throw error;
      rows.push(null); faults.push(error.message);
    }
  }
  return { rows, faults };
}

// Small pieces of the page

const $ = (id) => document.getElementById(id);

function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value === true) node.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined));
  return node;
}

function shown(number) {
  if (number === null || !Number.isFinite(number)) return String(number);
  const size = Math.abs(number);
  if (size !== 0 && (size < 1e-4 || size >= 1e9)) return number.toExponential(3);
  return String(Number(number.toPrecision(6)));
}

const percent = (share) => `${(100 * share).toFixed(1)} %`;

function bytes(size) {
  if (size < 1024) return `${size} bytes`;
  return size < 1024 ** 2 ? `${(size / 1024).toFixed(1)} KB` : `${(size / 1024 ** 2).toFixed(1)} MB`;
}

function saveFile(name, text) {
  const address = URL.createObjectURL(new Blob([text], { type: "text/csv" }));
  const link = el("a", { href: address, download: name });
  document.body.append(link);
  link.click();
  link.remove();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

// Editors of one row: each has an element, read() and write(row), and calls changed()

const MANY_FIELDS = 40;

function editorFor(model, changed) {
  const { kind } = model.input;
  if (kind === "image") return new ImageEditor(model, changed);
  if (kind === "table" && model.fields.length <= 4 * MANY_FIELDS) return new TableEditor(model, changed);
  return new TextEditor(model, changed);
}

class TableEditor {
  constructor(model, changed) {
    const used = model.fields.filter((field) => field.used !== false);
    const sliders = used.length <= MANY_FIELDS;
    this.missing = model.metadata.missing;
    this.fields = used.map((field, k) => new FieldEditor(field, k, changed, sliders));
    this.element = el("div", { class: "fields" }, ...this.fields.map((field) => field.element));
  }

  read() {
    const row = {};
    let sound = true;
    for (const editor of this.fields) {
      try {
        row[editor.field.name] = readValue(editor.field, editor.text(), this.missing);
        editor.fault("");
      } catch (error) {
        if (!(error instanceof Fault)) throw error;
        editor.fault(error.message);
        sound = false;
      }
    }
    return sound ? row : null;
  }

  write(row) { for (const editor of this.fields) editor.write(row[editor.field.name] ?? null); }

  reset() { for (const editor of this.fields) editor.write(editor.field.default ?? null); }
}

const OTHER = "\u0000other", NONE = "\u0000none";

class FieldEditor {
  constructor(field, k, changed, sliders) {
    this.field = field;
    this.id = `field-${k}`;
    this.hint = el("span", { class: "hint", id: `${this.id}-hint` }, hintOf(field));
    this.faultLine = el("span", { class: "fault", id: `${this.id}-fault`, hidden: true });
    const build = { category: this.select, boolean: this.checkbox, date: this.date }[field.kind];
    const parts = (build ?? this.box).call(this, changed, sliders);
    const label = el("label", { for: this.id }, field.name);
    const below = this.hint.textContent ? [this.hint] : [];
    this.element = el("div", { class: "field" }, label, ...parts, ...below, this.faultLine);
    this.control.setAttribute("aria-describedby", `${this.id}-hint ${this.id}-fault`);
  }

  box(changed, sliders) {
    const numeric = ["number", "integer", "duration"].includes(this.field.kind);
    const step = this.field.kind === "integer" ? 1 : "any";
    this.control = el("input", {
      id: this.id, type: numeric ? "number" : "text", step: numeric ? step : null,
      inputmode: numeric ? (step === 1 ? "numeric" : "decimal") : null,
      oninput: () => { this.follow(); changed(); }, onchange: changed,
    });
    const { min, max } = this.field;
    if (!(numeric && sliders && max > min)) return [this.control];
    const size = this.field.kind === "integer" ? 1 : Number(((max - min) / 200).toPrecision(2));
    this.slider = el("input", {
      type: "range", min, max, step: size, "aria-label": `${this.field.name}, slider`,
      oninput: () => { this.control.value = this.slider.value; changed(); },
    });
    return [this.control, this.slider];
  }

  follow() { if (this.slider && this.control.value !== "") this.slider.value = this.control.value; }

  select(changed) {
    const options = this.field.choices.map((choice) => el("option", { value: choice }, choice === "" ? "(empty)" : choice));
    if (this.field.missing) options.push(el("option", { value: NONE }, "(missing)"));
    if (this.field.open) options.push(el("option", { value: OTHER }, "Another value"));
    this.other = el("input", { type: "text", "aria-label": `${this.field.name}, another value`, hidden: true, oninput: changed });
    this.control = el("select", {
      id: this.id,
      onchange: () => { this.other.hidden = this.control.value !== OTHER; if (!this.other.hidden) this.other.focus(); changed(); },
    }, ...options);
    return [this.control, this.other];
  }

  checkbox(changed) {
    this.control = el("input", { id: this.id, type: "checkbox", onchange: () => { this.say(); changed(); } });
    this.word = el("span", { "aria-hidden": "true" });
    return [el("span", { class: "switch" }, this.control, this.word)];
  }

  say() { this.word.textContent = this.control.checked ? "true" : "false"; }

  date(changed) {
    const times = [this.field.min, this.field.max, this.field.default].some((d) => d?.includes?.("T"));
    this.control = el("input", { id: this.id, type: times ? "datetime-local" : "date", step: times ? 1 : null, oninput: changed });
    return [this.control];
  }

  text() {
    if (this.field.kind === "boolean") return String(this.control.checked);
    if (this.control.value === OTHER) return this.other.value;
    return this.control.value === NONE ? "" : this.control.validity?.badInput ? "?" : this.control.value;
  }

  write(value) {
    if (this.field.kind === "boolean") { this.control.checked = Boolean(value); this.say(); return; }
    if (this.field.kind !== "category") {
      const text = value === null ? "" : String(value);
      this.control.value = this.field.kind === "date" ? dateText(text, this.control.type) : text;
      this.follow();
      return;
    }
    const known = this.field.choices.includes(value);
    this.control.value = value === null ? NONE : known ? value : OTHER;
    this.other.hidden = value === null || known;
    if (!this.other.hidden) this.other.value = value;
  }

  fault(message) {
    this.faultLine.textContent = message && message[0].toUpperCase() + message.slice(1);
    this.faultLine.hidden = !message;
    this.control.toggleAttribute("aria-invalid", Boolean(message));
    if (message) this.control.setAttribute("aria-invalid", "true");
  }
}

function dateText(text, type) {
  if (type === "date" || !text) return text.slice(0, 10);
  return text.length <= 10 ? `${text}T00:00:00` : text.slice(0, 19);
}

function hintOf(field) {
  const parts = [];
  if (field.min !== undefined && field.max !== undefined) {
    const name = (limit) => typeof limit === "number" ? shown(limit) : limit;
    parts.push(`${name(field.min)} to ${name(field.max)}`);
  }
  if (field.kind === "duration") parts.push("seconds");
  if (field.missing && field.kind !== "category") parts.push("may be empty");
  return parts.join(", ");
}

// Texts, tokens, series, and tables too wide for a form

class TextEditor {
  constructor(model, changed) {
    this.model = model;
    const kind = model.input.kind;
    this.control = el("textarea", {
      id: "row", class: kind === "text" ? null : "code", rows: kind === "text" ? 6 : 10,
      spellcheck: "false", "aria-describedby": "row-hint row-fault",
      oninput: () => { changed(); this.draw(); },
    });
    this.faultLine = el("span", { class: "fault", id: "row-fault", hidden: true });
    const [label, hint] = TEXT_HELP[kind](model.input, model.fields);
    this.plot = kind === "series" ? plotElement() : null;
    const file = kind === "text" || kind === "tokens" ? null : this.fileButton(changed);
    this.element = el("div", { class: "field" },
      el("label", { for: "row" }, label), this.control,
      el("span", { class: "hint", id: "row-hint" }, hint), this.faultLine, file, this.plot);
  }

  fileButton(changed) {
    const input = el("input", {
      id: "row-file", class: "hidden-input", type: "file", accept: ".csv,.tsv,.txt,text/plain,text/csv",
      onchange: async () => {
        const [file] = input.files;
        if (file) { this.control.value = (await file.text()).trim(); changed(); this.draw(); }
        input.value = "";
      },
    });
    return el("div", { class: "actions" }, el("label", { class: "button", for: "row-file" }, "Read it from a file"), input);
  }

  read() {
    try {
      const row = this.parse(this.control.value);
      this.fault("");
      return row;
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      this.fault(error.message);
      return null;
    }
  }

  parse(text) {
    const { input } = this.model;
    if (input.kind === "text") return text;
    if (input.kind === "tokens") return readTokens(this.model, text);
    const lines = parseCsv(text.trim());
    const cells = lines.flat().filter((cell) => cell.trim() !== "");
    if (input.kind === "table") {
      const { rows, faults } = rowsOfTable(this.model, [this.model.fields.map((f) => f.name), cells]);
      if (faults[0]) throw new Fault(faults[0]);
      return rows[0];
    }
    const values = cells.map((cell) => readNumber(cell.trim()));
    if (!input.channels_first || input.sequence) return shapedRow(this.model, values);
    return shapedRow(this.model, transposed(chunks(values, input.channels)).flat());
  }

  write(row) {
    const { input } = this.model;
    this.control.value = { text: () => row, tokens: () => row.join(" "), table: () => this.model.fields.map((f) => row[f.name] ?? "").join(", ") }[input.kind]?.()
      ?? stepsIn(row, input).map((step) => step.map(shown).join(", ")).join("\n");
    this.draw();
  }

  reset() { this.write(this.model.description.examples.rows[0]); }

  fault(message) {
    this.faultLine.textContent = message && `The row ${message}`;
    this.faultLine.hidden = !message;
    if (message) this.control.setAttribute("aria-invalid", "true");
    else this.control.removeAttribute("aria-invalid");
  }

  draw() {
    if (!this.plot) return;
    let row = null;
    try { row = this.parse(this.control.value); } catch { return; }
    drawPlot(this.plot, stepsIn(row, this.model.input));
  }
}

const transposed = (rows) => rows.length ? rows[0].map((_, k) => rows.map((row) => row[k])) : [];

// A row of a series as steps, each with a number per channel.
function stepsIn(row, input) {
  if (input.sequence) return row.map((step) => [step].flat());
  const flat = row.flat(Infinity);
  return input.channels_first ? transposed(chunks(flat, flat.length / input.channels)) : chunks(flat, input.channels);
}

const TEXT_HELP = {
  text: () => ["Text", ""],
  tokens: (input) => ["Tokens", `${input.integers ? "Integers" : "Tokens"} separated by spaces`],
  series: (input) => ["Series", `One step per line${input.channels > 1 ? `, its ${input.channels} channels separated by commas` : ""}${input.open ? "" : `; ${input.size / input.channels} steps`}`],
  table: (input, fields) => ["Row", `${fields.length} values separated by commas, from ${fields[0].name} to ${fields.at(-1).name}`],
};

const SVG = "http://www.w3.org/2000/svg";

function plotElement() {
  const plot = document.createElementNS(SVG, "svg");
  plot.setAttribute("class", "plot");
  plot.setAttribute("viewBox", "0 0 100 100");
  plot.setAttribute("preserveAspectRatio", "none");
  plot.setAttribute("role", "img");
  plot.setAttribute("aria-label", "The series, drawn");
  return plot;
}

function drawPlot(plot, steps) {
  const values = steps.flat().filter((v) => v !== null);
  const low = Math.min(...values), range = Math.max(...values) - low || 1;
  plot.replaceChildren(...transposed(steps).map((channel) => {
    const line = document.createElementNS(SVG, "polyline");
    const points = channel.map((v, t) => `${(100 * t) / Math.max(1, channel.length - 1)},${94 - (88 * ((v ?? low) - low)) / range}`);
    line.setAttribute("points", points.join(" "));
    return line;
  }));
}

// Images: drawn, from a file, or an example

class ImageEditor {
  constructor(model, changed) {
    this.model = model;
    this.input = model.input;
    this.changed = changed;
    const { width, height, channels } = this.input;
    this.small = el("canvas", { width, height, class: "seen", role: "img", "aria-label": "The image as the model sees it" });
    this.drawable = channels === 1;
    this.board = el("canvas", {
      width: 320, height: Math.round((320 * height) / width), class: this.drawable ? "board" : "board still",
      role: "img", "aria-label": this.drawable ? "Drawing board; a file or an example can be chosen instead" : "The chosen image",
    });
    this.board.style.aspectRatio = `${width} / ${height}`;
    if (this.drawable) this.listen();
    this.element = el("div", { class: "image-editor" }, this.board, this.sidePanel());
    this.exact = null; // the values of an example, which a canvas of 8 bits would round
  }

  sidePanel() {
    const file = el("input", {
      id: "image-file", class: "hidden-input", type: "file", accept: "image/*",
      onchange: () => { const [one] = file.files; if (one) this.load(one); file.value = ""; },
    });
    const buttons = el("div", { class: "actions" }, el("label", { class: "button", for: "image-file" }, "Choose an image"), file,
      this.drawable ? el("button", { type: "button", class: "button", onclick: () => { this.clear(); this.changed(); } }, "Clear") : null);
    const { width, height, channels } = this.input;
    const help = this.drawable ? "Draw on the board, choose an image, or take an example." : "Choose an image, or take an example.";
    return el("div", { class: "side" }, buttons, el("p", { class: "hint" }, help),
      el("div", {}, el("p", { class: "label" }, "What the model sees"), this.small,
        el("p", { class: "hint" }, `${width} by ${height}, ${channels === 1 ? "grey" : `${channels} channels`}`)),
      el("div", { class: "thumbs", role: "group", "aria-label": "Examples" }, ...this.thumbs()));
  }

  thumbs() {
    return this.model.description.examples.rows.slice(0, 20).map((row, k) => {
      const picture = el("canvas", { width: this.input.width, height: this.input.height });
      this.paint(picture, row);
      return el("button", { type: "button", class: "thumb", "aria-label": `Example ${k + 1}`, onclick: () => { this.write(row); this.changed(); } }, picture);
    });
  }

  // Where a channel of a pixel is in a row.
  place(y, x, c) {
    const { width, height, channels, channels_first: first } = this.input;
    return first ? (c * height + y) * width + x : (y * width + x) * channels + c;
  }

  paint(canvas, row) {
    const { width, height, channels, low, high } = this.input;
    const values = row.flat(Infinity);
    const context = canvas.getContext("2d");
    const pixels = context.createImageData(width, height);
    const level = (v) => (255 * (v - low)) / (high - low || 1);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      for (let c = 0; c < 3; c++) pixels.data[at + c] = level(values[this.place(y, x, channels >= 3 ? c : 0)]);
      pixels.data[at + 3] = 255;
    }
    context.putImageData(pixels, 0, 0);
  }

  write(row) {
    this.exact = row;
    this.paint(this.small, row);
    const context = this.board.getContext("2d");
    context.imageSmoothingEnabled = false;
    context.drawImage(this.small, 0, 0, this.board.width, this.board.height);
  }

  reset() { this.write(this.model.description.examples.rows[0]); }

  clear() {
    const context = this.board.getContext("2d");
    context.fillStyle = this.input.dark ? "#000" : "#fff";
    context.fillRect(0, 0, this.board.width, this.board.height);
    this.shrink();
  }

  shrink() {
    this.exact = null;
    const context = this.small.getContext("2d", { willReadFrequently: true });
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.board, 0, 0, this.input.width, this.input.height);
  }

  async load(file) {
    let picture = null;
    try { picture = await createImageBitmap(file); } catch { return; }
    const { width, height } = this.board;
    const scale = Math.max(width / picture.width, height / picture.height); // fill, and cut
    const context = this.board.getContext("2d");
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.fillStyle = this.input.dark ? "#000" : "#fff";
    context.fillRect(0, 0, width, height);
    context.drawImage(picture, (width - picture.width * scale) / 2, (height - picture.height * scale) / 2, picture.width * scale, picture.height * scale);
    this.shrink();
    this.changed();
  }

  read() {
    if (this.exact) return this.exact;
    const { width, height, channels, low, high, pixels } = this.input;
    const { data } = this.small.getContext("2d").getImageData(0, 0, width, height);
    const row = new Array(width * height * channels);
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) {
      const at = 4 * (y * width + x);
      const grey = 0.299 * data[at] + 0.587 * data[at + 1] + 0.114 * data[at + 2];
      for (let c = 0; c < channels; c++) {
        const level = channels >= 3 ? data[at + c] : grey;
        row[this.place(y, x, c)] = pixels ? Math.round(level) : low + ((high - low) * level) / 255;
      }
    }
    return row;
  }

  // About as thick as handwriting, and not thinner than what the small image can show.
  stroke() { return this.board.width * Math.max(1 / 11, 1.3 / this.input.width); }

  listen() {
    let last = null;
    const point = (event) => {
      const box = this.board.getBoundingClientRect();
      return [((event.clientX - box.left) * this.board.width) / box.width, ((event.clientY - box.top) * this.board.height) / box.height];
    };
    const draw = (event) => {
      const next = point(event);
      const context = this.board.getContext("2d");
      Object.assign(context, { lineCap: "round", lineJoin: "round", lineWidth: this.stroke(), strokeStyle: this.input.dark ? "#fff" : "#000" });
      context.beginPath();
      context.moveTo(...last);
      context.lineTo(...next);
      context.stroke();
      last = next;
      this.shrink();
      this.changed();
    };
    this.board.addEventListener("pointerdown", (event) => {
      if (this.exact) this.clear(); // a stroke begins a drawing of one's own
      this.board.setPointerCapture(event.pointerId);
      last = point(event);
      draw(event);
    });
    this.board.addEventListener("pointermove", (event) => { if (last) draw(event); });
    for (const end of ["pointerup", "pointercancel"]) this.board.addEventListener(end, () => { last = null; });
  }
}

// Answers

const MANY_BARS = 8, SORTED_BARS = 12; // sorted bars change places while a row is edited

function showAnswer(answer) {
  if (answer.refused) {
    return [el("p", { class: "refusal" }, "The model does not take this row: a value is missing, too large or unknown where a step of the pipeline does not accept it.")];
  }
  return answer.parts.map(showPart);
}

function showPart(part) {
  const blocks = [];
  if (part.title) blocks.push(el("h3", {}, part.title));
  if (part.label !== undefined) blocks.push(headline(String(part.label), bestShare(part)));
  if (part.bars) blocks.push(barList(part.bars, part, percent));
  if (part.scores?.length) blocks.push(scoreTable(part.scores, "Score"));
  if (part.numbers) blocks.push(...numberBlocks(part));
  if (part.code) blocks.push(scoreTable(part.code, "Value"));
  if (part.score !== undefined) blocks.push(el("p", { class: "muted small" }, `Score of the reconstruction: ${shown(part.score)}`));
  if (part.steps) blocks.push(el("div", { class: "steps" }, ...part.steps.map((step) => el("span", { class: "step" }, step.label, step.share === undefined ? null : el("span", {}, percent(step.share))))));
  return el("div", { class: "task" }, ...blocks);
}

function bestShare(part) {
  if (!part.bars || part.several) return "";
  const found = part.bars.find((bar) => bar.name === part.label);
  return found ? percent(found.value) : "";
}

// For the line at the bottom of a small screen.
function inShort(answer) {
  if (answer.refused) return "The model does not take this row";
  const [part] = answer.parts;
  const text = part.label ?? (part.numbers?.length === 1 ? shown(part.numbers[0]) : null);
  return text === null ? "To the prediction" : [text, bestShare(part)].filter(Boolean).join("  ·  ");
}

const headline = (text, beside) => el("p", { class: "headline" }, el("strong", {}, text), beside ? el("span", { class: "muted" }, beside) : null);

function barList(found, part, write) {
  const many = found.length > MANY_BARS;
  const listed = found.length > SORTED_BARS ? [...found].sort((a, b) => b.value - a.value) : found;
  return el("ol", { class: many ? "bars many" : "bars", "aria-label": "Probabilities", tabindex: many ? 0 : null }, ...listed.map((bar) => {
    const fill = el("span", { class: "fill" });
    fill.style.width = `${100 * Math.max(0, Math.min(1, bar.value))}%`;
    const best = part.several ? bar.value > 0.5 : bar.name === part.label;
    return el("li", { class: best ? "best" : null }, el("span", { class: "name" }, bar.name), el("span", {}, write(bar.value)), el("span", { class: "track", "aria-hidden": "true" }, fill));
  }));
}

function numberBlocks({ numbers, std, quantiles }) {
  if (numbers.length === 1) return [headline(shown(numbers[0]), std ? `± ${shown(std[0])} (standard deviation)` : "")];
  const name = (k) => quantiles?.length === numbers.length ? `${shown(100 * quantiles[k])} % quantile` : `Target ${k + 1}`;
  return [scoreTable(numbers.map((value, k) => ({ name: name(k), value, std: std?.[k] })), "Prediction")];
}

function scoreTable(found, title) {
  const spread = found.some((one) => one.std !== undefined);
  return el("div", { class: "scroll", tabindex: found.length > 12 ? 0 : null }, el("table", {},
    el("thead", {}, el("tr", {}, el("th", { scope: "col" }, "Name"), el("th", { class: "number", scope: "col" }, title), spread ? el("th", { class: "number", scope: "col" }, "Standard deviation") : null)),
    el("tbody", {}, ...found.map((one) => el("tr", {}, el("td", {}, one.name), el("td", { class: "number" }, shown(one.value)), spread ? el("td", { class: "number" }, shown(one.std)) : null)))));
}

// An answer as cells of a CSV file, and their names.
function cellsOf(answer) {
  const cells = [];
  for (const part of answer.parts) {
    const title = part.title ? `${part.title} ` : "";
    if (part.label !== undefined) cells.push([`${title}prediction`, part.label]);
    for (const bar of part.bars ?? []) cells.push([`${title}probability ${bar.name}`, bar.value]);
    for (const bar of part.scores ?? []) cells.push([`${title}score ${bar.name}`, bar.value]);
    part.numbers?.forEach((value, k) => cells.push([`${title}prediction${part.numbers.length > 1 ? ` ${k + 1}` : ""}`, value]));
    part.std?.forEach((value, k) => cells.push([`${title}std${part.std.length > 1 ? ` ${k + 1}` : ""}`, value]));
    for (const one of part.code ?? []) cells.push([one.name, one.value]);
    if (part.score !== undefined) cells.push(["score", part.score]);
    if (part.steps) cells.push([`${title}prediction`, part.steps.map((step) => step.label).join(" ")]);
  }
  return cells;
}

// Many rows

class Batch {
  constructor(model) {
    this.model = model;
    $("batch-help").textContent = BATCH_HELP[model.input.kind](model);
    $("csv").addEventListener("change", async () => {
      const [file] = $("csv").files;
      if (file) await this.predict(await file.text(), file.name);
      $("csv").value = "";
    });
    $("template").addEventListener("click", () => saveFile("examples.csv", this.template()));
    $("download").addEventListener("click", () => saveFile(this.name, this.results));
    $("batch").hidden = false;
  }

  template() {
    const { model } = this, { rows } = model.description.examples;
    if (model.input.kind === "table") {
      const names = model.fields.filter((field) => field.used !== false).map((field) => field.name);
      return [csvLine(names), ...rows.map((row) => csvLine(names.map((name) => row[name])))].join("\n") + "\n";
    }
    if (model.input.kind === "text") return ["text", ...rows.map((row) => csvCell(row))].join("\n") + "\n";
    return rows.map((row) => csvLine(row.flat(Infinity))).join("\n") + "\n";
  }

  async predict(text, name) {
    const say = (message) => { $("batch-status").textContent = message; };
    $("download-line").hidden = $("preview").hidden = true;
    try {
      const table = parseCsv(text.replace(/^\ufeff/, ""));
      const { rows, faults } = rowsOfCsv(this.model, table);
      if (!rows.length) throw new Fault("The file has no rows.");
      say("");
      const start = performance.now();
      const answers = await this.answers(rows);
      const seconds = (performance.now() - start) / 1000;
      this.finish(table, answers, faults, name);
      const bad = answers.filter((a) => a === null || a.refused).length;
      say(`${rows.length} rows in ${seconds.toFixed(seconds < 1 ? 2 : 1)} s${bad ? `; ${bad} of them have no prediction, and the column "fault" says why` : ""}.`);
    } catch (error) {
      if (!(error instanceof Fault)) throw error;
      say(error.message);
    } finally {
      $("progress-line").hidden = true;
    }
  }

  async answers(rows) {
    const answers = rows.map(() => null);
    const sound = rows.map((_, i) => i).filter((i) => rows[i] !== null);
    $("progress-line").hidden = false;
    for (let start = 0; start < sound.length; start += ROWS_AT_ONCE) {
      const piece = sound.slice(start, start + ROWS_AT_ONCE);
      const found = await this.model.predict(piece.map((i) => rows[i]));
      piece.forEach((i, k) => { answers[i] = found[k]; });
      $("progress").value = (start + piece.length) / sound.length;
      $("progress-label").textContent = `Predicting: ${start + piece.length} of ${sound.length} rows`;
      await new Promise((resume) => setTimeout(resume)); // lets the page draw
    }
    return answers;
  }

  finish(table, answers, faults, name) {
    const lines = table.slice(table.length - answers.length);
    const header = table.length > answers.length ? table[0] : [];
    const columns = [];
    const cells = answers.map((answer) => new Map(answer && !answer.refused ? cellsOf(answer) : []));
    for (const row of cells.slice(0, 1000)) for (const key of row.keys()) if (!columns.includes(key)) columns.push(key);
    const why = (i) => faults[i] ?? (answers[i].refused ? "refused by the model" : "");
    const someFault = answers.some((_, i) => why(i));
    if (someFault) columns.push("fault");
    const keep = header.length ? header : [];
    const out = cells.map((row, i) => [...(keep.length ? keep.map((_, k) => lines[i][k] ?? "") : []), ...columns.map((column) => column === "fault" ? why(i) : row.get(column) ?? "")]);
    this.results = [csvLine([...keep, ...columns]), ...out.map(csvLine)].join("\n") + "\n";
    this.name = `${name.replace(/\.[^.]*$/, "")}_predictions.csv`;
    this.show(keep, columns, out.slice(0, 10));
    $("download-line").hidden = false;
  }

  show(keep, columns, rows) {
    const offset = keep.length;
    const order = [...columns.map((_, k) => offset + k), ...keep.map((_, k) => k)].slice(0, 12);
    const names = [...keep, ...columns];
    const cell = (value) => typeof value === "number" ? shown(Number(value.toPrecision(4))) : String(value).slice(0, 60);
    const numeric = (k) => rows.some((row) => typeof row[k] === "number");
    $("preview").replaceChildren(el("table", {},
      el("thead", {}, el("tr", {}, ...order.map((k) => el("th", { class: numeric(k) ? "number" : null, scope: "col" }, names[k])))),
      el("tbody", {}, ...rows.map((row) => el("tr", {}, ...order.map((k) => el("td", { class: numeric(k) ? "number" : null }, cell(row[k]))))))));
    $("preview").hidden = false;
  }
}

const BATCH_HELP = {
  table: () => "A CSV file whose first line names the columns. The results are your rows and the predictions.",
  image: (model) => `A CSV file with one image per line: ${model.input.size} numbers, in the order of the flattened array.`,
  series: (model) => `A CSV file with one series per line: ${model.input.open ? "" : `${model.input.size} `}numbers, ${model.input.channels > 1 ? "the channels of each step side by side" : "one per step"}.`,
  tokens: () => "A file with one sequence per line.",
  text: () => "A CSV file with one text per line, in quotes where it contains commas.",
};

// The page

async function startPage() {
  const status = (text, kind = "") => {
    $("status-text").textContent = text;
    $("status").className = `chip ${kind}`;
  };
  $("slow").remove();
  let model = null;
  try {
    model = await openModel(new URL(".", document.baseURI));
  } catch (error) {
    if (error instanceof MissingRuntime) { missingRuntime(error.message, status); return null; }
    status(`The model cannot be opened: ${error.message}`, "bad");
    throw error;
  }
  describe(model);
  const live = new Live(model);
  const batch = new Batch(model);
  $("single").hidden = false;
  await live.update();
  status("Comparing with Python");
  const check = await model.check();
  status(checkText(check), check.equal ? "good" : "bad");
  await live.update(); // the first one was slower than those that follow
  return { model, check, live, batch };
}

function missingRuntime(command, status) {
  status("onnxruntime-web is not in this folder yet", "bad");
  $("status").after(el("div", { class: "note" }, "This page predicts with onnxruntime-web. Run this once in the folder of this page, and reload it:",
    el("pre", {}, el("code", {}, command))));
}

function checkText({ equal, largest, labels, rows }) {
  if (labels) return `Differs from Python: ${labels} of ${rows} labels`;
  const size = largest === 0 ? "exactly" : `to ${largest.toExponential(0).replace("e", "e").replace("+", "")}`;
  return equal ? `Equal to Python ${size} on ${rows} rows` : `Differs from Python by ${largest.toExponential(1)}`;
}

function describe(model) {
  const { metadata, description } = model;
  const facts = [description.estimator, INPUTS[model.input.kind](model), OUTPUTS[metadata.task](metadata), bytes(description.model_bytes)];
  $("summary").textContent = facts.filter(Boolean).join(" · ");
  $("about").replaceChildren(`sklearn_deep ${metadata.package_version}, onnxruntime-web ${model.ort.env.versions?.web ?? ""}. `,
    el("a", { href: "model.onnx", download: true }, "Download the model"), ".");
}

const count = (n, one, many = `${one}s`) => `${n} ${n === 1 ? one : many}`;
const INPUTS = {
  table: (model) => count(model.fields.filter((field) => field.used !== false).length, "column"),
  image: ({ input }) => `images of ${input.width} by ${input.height}`,
  series: ({ input }) => `series of ${count(input.channels, "channel")}`,
  tokens: () => "tokens",
  text: () => "texts",
};
const OUTPUTS = {
  classifier: (metadata) => count(metadata.classes.values.length, metadata.multilabel ? "label" : "class", metadata.multilabel ? "labels" : "classes"),
  regressor: () => "regression",
  transformer: () => "",
  several: (metadata) => count(metadata.tasks.length, "task"),
};

// The prediction of the row in the form, which follows each change.
class Live {
  constructor(model) {
    this.model = model;
    this.waiting = null;
    this.editor = editorFor(model, () => this.later());
    $("editor").append(this.editor.element);
    $("editor").addEventListener("submit", (event) => { event.preventDefault(); this.update(); });
    this.actions();
    this.editor.reset();
    // A line at the bottom of a small screen, while the prediction is below it.
    new IntersectionObserver(([seen]) => {
      $("dock").hidden = seen.isIntersecting || seen.boundingClientRect.top < 0;
    }, { rootMargin: "0px 0px -80px 0px" }).observe($("prediction"));
  }

  actions() {
    const { rows } = this.model.description.examples;
    const reset = el("button", { type: "button", class: "button", onclick: () => { picker.value = ""; this.editor.reset(); this.update(); } }, "Reset");
    const picker = el("select", {
      "aria-label": "Example", onchange: () => { if (picker.value !== "") { this.editor.write(rows[picker.value]); this.update(); } },
    }, el("option", { value: "" }, "Examples"), ...rows.map((_, k) => el("option", { value: k }, `Example ${k + 1}`)));
    if (this.model.input.kind === "image") return; // they are pictures there
    $("input-actions").append(el("span", { class: "compact" }, picker), reset);
  }

  later() {
    clearTimeout(this.waiting);
    this.waiting = setTimeout(() => this.update(), 60);
  }

  async update() {
    clearTimeout(this.waiting);
    if (this.running) { this.again = true; return; } // one at a time
    this.running = true;
    try { await this.show(); } finally { this.running = false; }
    if (this.again) { this.again = false; await this.update(); }
  }

  async show() {
    const row = this.editor.read();
    $("answer").classList.toggle("dim", row === null);
    if (row === null) return;
    const start = performance.now();
    let answer = null;
    try { [answer] = await this.model.predict([row]); } catch (error) {
      if (!(error instanceof Fault)) throw error;
      $("answer").replaceChildren(el("p", { class: "refusal" }, `The row ${error.message}.`));
      return;
    }
    const time = performance.now() - start;
    performance.mark("answer");
    $("answer").replaceChildren(...showAnswer(answer));
    $("dock").textContent = inShort(answer);
    $("latency").textContent = `${time < 10 ? time.toFixed(1) : Math.round(time)} ms`;
  }
}

// For tests and for the console: what the page has opened, or why it has not.
if (document.getElementById("editor")) window.page = startPage();
