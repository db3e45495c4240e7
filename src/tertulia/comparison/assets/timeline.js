// One recording: the reference and every system on one time axis, errors by kind, and the sound.

const LANE = 15;
const STRIP = 6;
const audio = byId("audio");
let scale = 1; // pixels a second

// How a system fares on a recording, said beside its name.
function inWords(system, name, lanes) {
  const seconds = scores(system, name).scored_seconds;
  const errors = Object.entries(KINDS).map(([kind, words]) => `${words} ${seconds[kind].toFixed(1)} s`);
  return [...errors, `${lanes.length} speaker${lanes.length === 1 ? "" : "s"} found`].join(" · ");
}

// Rows from top to bottom: what is drawn, where, and what stands before it.
function layout(track, name) {
  const rows = [];
  let top = 22; // below the axis
  const add = (height, row) => {
    rows.push({ top, height, ...row });
    top += height;
  };
  const order = track.reference.map((lane) => lane.speaker);
  const hue = (speaker) => `var(--s${order.indexOf(speaker) % 8})`;
  add(22, { label: "Reference", head: true });
  for (const lane of track.reference) add(LANE, { label: lane.speaker, turns: lane.turns, fill: hue(lane.speaker) });
  if (!track.reference.length) add(LANE, { label: "nobody", turns: [] });
  for (const system of ranked().filter((each) => !hidden.has(each))) {
    const { lanes, errors } = track.systems[system];
    top += 10;
    add(22, { label: `${system} · ${percent(scores(system, name).der, 1)} %`, more: inWords(system, name, lanes), head: true });
    if (!lanes.length) add(LANE, { label: "nobody", turns: [] });
    const rank = (lane) => (lane.is === null ? order.length : order.indexOf(lane.is));
    for (const lane of [...lanes].sort((a, b) => rank(a) - rank(b)))
      add(LANE, {
        label: lane.is ?? lane.speaker, turns: lane.turns,
        title: lane.is === null ? `${lane.speaker}, matched with nobody` : `${lane.speaker}, matched with ${lane.is}`,
        fill: lane.is === null ? null : hue(lane.is),
      });
    top += 4;
    for (const kind of Object.keys(KINDS)) add(STRIP, { kind, turns: errors[kind], fill: colour(kind) });
  }
  return { rows, height: top + 8 };
}

function bars(row, width) {
  const what = row.kind ? KINDS[row.kind] : row.title ?? row.label;
  const inset = row.kind ? 0.5 : 1.5;
  return draw("g", { "data-kind": row.kind ?? "turns", class: row.fill ? null : "stranger", style: row.fill ? `fill:${row.fill}` : null },
    row.kind ? "" : draw("rect", { class: "lane", x: 0, y: row.top + inset, width, height: row.height - 2 * inset, stroke: "none" }),
    ...row.turns.map(([start, end]) => draw("rect",
      {
        x: (start * scale).toFixed(2), y: row.top + inset, rx: row.kind ? 0 : 2,
        width: Math.max((end - start) * scale, 0.75).toFixed(2), height: row.height - 2 * inset,
      },
      draw("title", {}, `${what}, ${clock(start, 1)} to ${clock(end, 1)}`))));
}

function axis(seconds, height) {
  const step = niceStep(seconds, Math.max((seconds * scale) / 80, 1), [0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600]);
  const marks = [];
  for (let i = 0; i * step <= seconds; i += 1) {
    const x = i * step * scale;
    const anchor = i === 0 ? "start" : x > seconds * scale - 24 ? "end" : "middle";
    marks.push(draw("line", { class: "grid", x1: x, x2: x, y1: 18, y2: height }));
    marks.push(draw("text", { x, y: 13, "text-anchor": anchor }, clock(i * step, step < 1 ? 1 : 0)));
  }
  return marks;
}

function showTracks() {
  const track = data.tracks[state.recording];
  const box = byId("tracks");
  const middle = (box.scrollLeft + box.clientWidth / 2) / scale;
  const seconds = Math.max(track.seconds, 1);
  const width = (box.clientWidth || 800) * 2 ** Number(byId("zoom").value);
  scale = width / seconds;
  const { rows, height } = layout(track, state.recording);
  byId("labels").replaceChildren(...rows.filter((row) => row.label).map((row) =>
    make("div", { class: row.head ? "head" : null, style: `top:${row.top}px;line-height:${row.height}px`, title: row.title ?? row.label },
      row.label, row.more ? make("span", {}, row.more) : "")));
  byId("labels").style.height = `${height}px`;
  box.replaceChildren(draw("svg", { width, height, role: "img", "aria-label": "Turns and errors over time" },
    ...axis(seconds, height),
    ...rows.filter((row) => row.turns).map((row) => bars(row, width)),
    draw("line", { id: "cursor", y1: 16, y2: height, x1: 0, x2: 0 })));
  box.scrollLeft = middle * scale - box.clientWidth / 2;
  pointTo(audio.currentTime || 0);
}

function pointTo(seconds) {
  const cursor = byId("cursor");
  cursor?.setAttribute("x1", seconds * scale);
  cursor?.setAttribute("x2", seconds * scale);
  byId("clock").textContent = clock(seconds, 1);
}

function follow() {
  const box = byId("tracks");
  const x = audio.currentTime * scale;
  pointTo(audio.currentTime);
  if (x < box.scrollLeft || x > box.scrollLeft + box.clientWidth) box.scrollLeft = x - box.clientWidth * 0.1;
  if (!audio.paused) requestAnimationFrame(follow);
}

// A button for each system that takes it off the time line or puts it back.
function offerSystems() {
  byId("shown").hidden = systems.length < 2;
  byId("shown").replaceChildren("On the time line: ", ...ranked().map((system) => {
    const button = make("button", { type: "button", "aria-pressed": String(!hidden.has(system)), "data-system": system }, system);
    button.addEventListener("click", () => {
      if (!hidden.delete(system)) hidden.add(system);
      button.setAttribute("aria-pressed", String(!hidden.has(system)));
      showTracks();
    });
    return button;
  }));
}

function listen() {
  audio.addEventListener("play", follow);
  audio.addEventListener("seeked", () => pointTo(audio.currentTime));
  audio.addEventListener("error", () => {
    audio.hidden = true;
    byId("silent").hidden = false;
  });
  byId("tracks").addEventListener("click", (event) => {
    const svg = event.target.closest("svg");
    if (!svg) return;
    const seconds = Math.max((event.clientX - svg.getBoundingClientRect().left) / scale, 0);
    if (audio.readyState) audio.currentTime = seconds;
    pointTo(seconds);
  });
  byId("zoom").addEventListener("input", showTracks);
  addEventListener("resize", showTracks);
}

function showRecording() {
  const name = state.recording;
  const { seconds, speakers } = data.recordings[name];
  byId("detail-title").textContent = name;
  const people = `${speakers} speaker${speakers === 1 ? "" : "s"} in the reference`;
  byId("detail-facts").textContent = `${clock(seconds)} long, ${people}`;
  audio.hidden = false;
  byId("silent").hidden = true;
  audio.src = data.tracks[name].audio;
  byId("tracks").scrollLeft = 0;
  showTracks();
}
