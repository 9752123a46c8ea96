"use strict";
// The page of tools/playground_page.py: controls, the code that they ask for, and its picture.

const FACES = 12;
const by = (id) => document.getElementById(id);
const PLACES = { one: [], mix: ["A", "B"], sum: ["A", "B", "C"] };

let about, directions, session; // what the generator is, its directions, and what runs it
let state, start, faces; // where the controls stand, the first code, the codes to pick from
let saved = 0;

function fresh() {
  return {
    base: "one", face: null, code: start, picked: { mix: [0, 1], sum: [0, 1, 2] },
    place: 0, share: 0.5, arc: true, steps: {}, usual: false,
  };
}

// From the controls to a code -------------------------------------------------------------------

function baseCode() {
  const { base, picked } = state;
  if (base === "mix") {
    const [a, b] = picked.mix.map((i) => faces[i]);
    return (state.arc ? spherical : straight)(a, b, state.share);
  }
  if (base === "sum") return analogy(...picked.sum.map((i) => faces[i]));
  return state.face === null ? state.code : faces[state.face];
}

function directionOf(name) {
  if (name in directions) return directions[name];
  const element = Number(name.slice(2, -1));
  return Array.from({ length: about.latent_dim }, (_, i) => Number(i === element));
}

function code() {
  let z = baseCode();
  for (const [name, size] of Object.entries(state.steps)) z = added(z, directionOf(name), size);
  return state.usual ? ofLength(z, about.usual_length) : z;
}

function description(z) {
  const { base, picked } = state;
  const numbers = PLACES[base].map((_, k) => picked[base][k] + 1);
  const parts = [{
    one: state.face === null ? "a random picture" : `picture ${state.face + 1}`,
    mix: `${state.arc ? "spherical" : "straight"} mix of ${numbers[0]} and ${numbers[1]}, ` +
      `${Math.round(100 * state.share)} % of ${numbers[1]}`,
    sum: `picture ${numbers[0]} − ${numbers[1]} + ${numbers[2]}`,
  }[base]];
  for (const [name, size] of Object.entries(state.steps)) {
    if (size) parts.push(`${readable(name)} ${signed(size)}`);
  }
  return `${parts.join(", ")}; length of z ${lengthOf(z).toFixed(1)} (usual: ${about.usual_length.toFixed(1)})`;
}

const readable = (name) => name.replaceAll("_", " ");
const signed = (x) => (x > 0 ? "+" : "") + x.toFixed(1).replace("-", "−");

// From a code to a picture ----------------------------------------------------------------------

let turn = Promise.resolve(); // the session draws one batch at a time

/** Pictures of codes, each as ImageData. */
function pictures(codes) {
  turn = turn.then(() => drawnBy(codes), () => drawnBy(codes));
  return turn;
}

async function drawnBy(codes) {
  const z = new ort.Tensor("float32", Float32Array.from(codes.flat()), [codes.length, about.latent_dim]);
  const output = (await session.run({ [session.inputNames[0]]: z }))[session.outputNames[0]];
  const [n, height, width, channels] = output.dims;
  const size = height * width * channels;
  return Array.from({ length: n }, (_, i) =>
    imageData(output.data.subarray(i * size, (i + 1) * size), height, width, channels));
}

/** Numbers from −1 to 1, one or three for each pixel, as ImageData. */
function imageData(numbers, height, width, channels) {
  const image = new ImageData(width, height);
  for (let pixel = 0; pixel < height * width; pixel++) {
    for (let k = 0; k < 3; k++) {
      image.data[4 * pixel + k] = Math.round((numbers[pixel * channels + (channels === 3 ? k : 0)] + 1) * 127.5);
    }
    image.data[4 * pixel + 3] = 255;
  }
  return image;
}

function put(canvas, image) {
  [canvas.width, canvas.height] = [image.width, image.height];
  canvas.getContext("2d").putImageData(image, 0, 0);
}

let running = null; // the drawing in progress
let again = false; // whether something moved meanwhile: then only the last state is drawn

async function draw() {
  if (running) { again = true; return running; }
  running = (async () => {
    do {
      again = false;
      const z = code();
      put(by("picture"), (await pictures([z]))[0]);
      by("said").textContent = description(z);
    } while (again);
  })();
  try { await running; } finally { running = null; }
}

// Showing where the controls stand ---------------------------------------------------------------

function show() {
  const places = PLACES[state.base];
  for (const radio of document.getElementsByName("base")) radio.checked = radio.value === state.base;
  by("mixing").hidden = state.base !== "mix";
  setRange(by("share"), state.share, `${Math.round(100 * state.share)} %`);
  by("arc").checked = state.arc;
  by("usual").checked = state.usual;
  for (const slider of document.querySelectorAll("#sliders input, #amount")) {
    const size = state.steps[slider.dataset.name] ?? 0;
    setRange(slider, size, signed(size));
  }
  by("places").hidden = !places.length;
  for (const [k, radio] of [...document.getElementsByName("place")].entries()) {
    radio.parentElement.hidden = k >= places.length;
    radio.checked = k === state.place;
    radio.nextSibling.textContent = k < places.length ? ` ${places[k]}: ${state.picked[state.base][k] + 1}` : "";
  }
  showSheet(places);
  return draw().catch(problem);
}

function setRange(range, value, text) {
  range.value = value;
  range.parentElement.querySelector("output").textContent = text;
  range.setAttribute("aria-valuetext", text);
}

function showSheet(places) {
  const picked = places.length ? state.picked[state.base] : [state.face];
  for (const [i, button] of [...by("sheet").children].entries()) {
    const letters = places.filter((_, k) => picked[k] === i).join("");
    button.setAttribute("aria-pressed", String(picked.includes(i)));
    button.lastElementChild.textContent = `${i + 1} ${letters}`;
  }
}

// What the controls do ---------------------------------------------------------------------------

function pick(i) {
  const places = PLACES[state.base];
  if (places.length) {
    state.picked[state.base][state.place] = i;
    state.place = (state.place + 1) % places.length;
  } else {
    state.face = i;
  }
  return show();
}

function random() {
  Object.assign(state, { base: "one", face: null, code: drawn(about.latent_dim) });
  return show();
}

function reset() {
  state = fresh();
  by("element").value = 0;
  by("amount").dataset.name = "z[0]";
  return show();
}

async function deal() {
  faces = Array.from({ length: FACES }, () => drawn(about.latent_dim));
  const images = await pictures(faces);
  images.forEach((image, i) => put(by("sheet").children[i].firstElementChild, image));
  return show();
}

function save() {
  saved += 1;
  by("picture").toBlob((blob) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(blob);
    link.download = `picture-${String(saved).padStart(3, "0")}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });
}

// Setting up -------------------------------------------------------------------------------------

function make(tag, parent, properties = {}) {
  return parent.appendChild(Object.assign(document.createElement(tag), properties));
}

function makeSlider(name, i) {
  const row = make("div", by("sliders"), { className: "row" });
  make("label", row, { textContent: readable(name), htmlFor: `slider${i}` });
  const slider = make("input", row, { type: "range", id: `slider${i}`, step: 0.1 });
  slider.dataset.name = name;
  make("output", row).htmlFor.add(slider.id);
}

function makeControls() {
  Object.keys(directions).forEach(makeSlider);
  for (let k = 0; k < 3; k++) {
    const label = make("label", by("places"));
    make("input", label, { type: "radio", name: "place", value: k });
    label.append("");
  }
  for (let i = 0; i < FACES; i++) {
    const button = make("button", by("sheet"), { type: "button" });
    make("canvas", button).setAttribute("aria-hidden", "true");
    make("span", button);
    button.addEventListener("click", () => pick(i));
  }
  Object.assign(by("element"), { max: about.latent_dim - 1, value: 0 });
  by("amount").dataset.name = "z[0]";
  for (const slider of document.querySelectorAll("#sliders input, #amount")) {
    Object.assign(slider, { min: -about.reach, max: about.reach });
  }
}

function listen() {
  const on = (element, event, act) => element.addEventListener(event, () => { act(element); show(); });
  for (const slider of document.querySelectorAll("#sliders input, #amount")) {
    on(slider, "input", () => { state.steps[slider.dataset.name] = Number(slider.value); });
  }
  for (const radio of document.getElementsByName("base")) {
    on(radio, "change", () => Object.assign(state, { base: radio.value, place: 0 }));
  }
  for (const radio of document.getElementsByName("place")) {
    on(radio, "change", () => { state.place = Number(radio.value); });
  }
  on(by("share"), "input", (range) => { state.share = Number(range.value); });
  on(by("arc"), "change", (box) => { state.arc = box.checked; });
  on(by("usual"), "change", (box) => { state.usual = box.checked; });
  on(by("element"), "input", (field) => {
    const index = Math.min(about.latent_dim - 1, Math.max(0, Math.round(Number(field.value) || 0)));
    by("amount").dataset.name = `z[${index}]`;
  });
  for (const [id, act] of Object.entries({ random, reset, save, others: () => deal().catch(problem) })) {
    by(id).addEventListener("click", act);
  }
}

function problem(error) {
  by("problem").hidden = false;
  by("problem").textContent = `This does not work: ${error.message ?? error}`;
}

async function fetched(name) {
  const answer = await fetch(name);
  if (!answer.ok) throw new Error(`${name} is not there (${answer.status}). Run make playground again.`);
  return answer;
}

function check() {
  for (const [name, vector] of Object.entries(directions)) {
    if (!Array.isArray(vector) || vector.length !== about.latent_dim) {
      throw new Error(`the direction ${name} in directions.json has ${vector.length} numbers; ` +
        `this generator takes ${about.latent_dim}. Give directions that were found with it.`);
    }
  }
}

async function begin() {
  about = await (await fetched("about.json")).json();
  directions = await (await fetched("directions.json")).json();
  check();
  ort.env.wasm.numThreads = 1; // more need headers that isolate the page
  ort.env.wasm.wasmPaths = new URL("ort/", location.href).href; // an absolute address, or it fails
  session = await ort.InferenceSession.create(await (await fetched("generator.onnx")).arrayBuffer());
  start = drawn(about.latent_dim);
  state = fresh();
  by("title").textContent = document.title = about.title;
  makeControls();
  listen();
  await deal();
  by("problem").hidden = true;
  by("play").hidden = false;
}

begin().catch(problem);
