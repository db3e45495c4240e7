// What every part of the page uses: the data, elements, numbers in words, and the choices of the reader.

const data = JSON.parse(document.getElementById("data").textContent);
const systems = Object.keys(data.systems);
const KINDS = { false_alarm: "false alarm", missed: "missed", confusion: "confusion" };
const state = { group: Object.keys(data.groups)[0], recording: null, sort: "der", descending: false, order: "hard" };

const crowded = systems.length > 5; // what stands side by side otherwise has a row of its own
const hidden = new Set(); // systems that the reader does not want on the time line

const byId = (id) => document.getElementById(id);

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined) node.setAttribute(name, value);
  }
  node.append(...children); // strings become text, never markup
  return node;
}

function make(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

function draw(tag, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

const colour = (kind) => `var(--${kind.replace("_", "-")})`;
const percent = (rate, digits = 2) => (100 * rate).toFixed(digits);
const signed = (text) => (text.startsWith("-") ? `−${text.slice(1)}` : text);

function clock(seconds, digits = 0) {
  const whole = Number(seconds.toFixed(digits));
  const hours = Math.floor(whole / 3600);
  const minutes = Math.floor(whole / 60) % 60;
  const rest = (whole % 60).toFixed(digits).padStart(digits ? digits + 3 : 2, "0");
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${rest}` : `${minutes}:${rest}`;
}

function legend(node) {
  node.replaceChildren(
    ...Object.entries(KINDS).map(([kind, words]) =>
      make("span", {}, make("i", { style: `background:${colour(kind)}` }), words)),
  );
}

const pooled = (system) => data.systems[system].pooled[state.group];
const ranked = () => [...systems].sort((a, b) => pooled(a).der - pooled(b).der);
const scores = (system, recording) => data.systems[system].files[recording];

// The shortest "round" step that leaves at most `most` marks.
function niceStep(span, most, steps) {
  return steps.find((step) => span / step <= most) ?? steps.at(-1) * Math.ceil(span / steps.at(-1) / most);
}
