// DER against speed, speed on a logarithmic axis; results from elsewhere, whose speed nobody measured, as lines.

const PLOT = { width: crowded ? 1120 : 520, height: 380, left: 46, right: 18, top: 14, bottom: 44 };

function speedScale(measured) {
  const logs = measured.map((system) => Math.log10(pooled(system).real_time));
  const low = Math.min(...logs) - 0.25;
  const high = Math.max(...logs) + 0.35;
  const ticks = [];
  for (let power = Math.floor(low); power <= high; power += 1)
    for (const digit of high - low > 2 ? [1] : [1, 2, 5]) ticks.push(digit * 10 ** power);
  const x = (speed) =>
    PLOT.left + ((PLOT.width - PLOT.left - PLOT.right) * (Math.log10(speed) - low)) / (high - low);
  return { x, ticks: ticks.filter((tick) => Math.log10(tick) >= low && Math.log10(tick) <= high) };
}

function errorScale() {
  const tops = systems.map((system) => pooled(system).der_interval?.[1] ?? pooled(system).der);
  const step = niceStep(Math.max(...tops, 0.01), 6, [0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5]);
  const most = step * Math.ceil((Math.max(...tops, 0.01) * 1.04) / step);
  const y = (der) => PLOT.top + (PLOT.height - PLOT.top - PLOT.bottom) * (1 - der / most);
  return { y, ticks: Array.from({ length: Math.round(most / step) + 1 }, (_, i) => i * step) };
}

// Places around a point where its name can stand, the nearest first: [x, y, anchor, distance].
function around(cx, cy) {
  return [0, 18, 36, 54, 72].flatMap((far) => [
    [cx + 11 + far, cy + 4, "start", far], [cx - 11 - far, cy + 4, "end", far],
    ...[[-1, -10], [1, 20]].flatMap(([way, off]) => [
      [cx + 8 + far / 2, cy + off + way * far, "start", far], [cx - 8 - far / 2, cy + off + way * far, "end", far],
    ]),
  ]);
}

// Along a line across the plot.
function along(cy) {
  const { width, left, right } = PLOT;
  return [cy - 5, cy + 14].flatMap((y) =>
    [[left + 6, y, "start", 0], [width - right, y, "end", 0], [(left + width) / 2, y, "start", 8]]);
}

function widthOf(text) {
  const ruler = document.createElement("canvas").getContext("2d");
  ruler.font = `600 13px ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(text).width + 4;
}

// Put every name where it hides least: other names and points above all, then bars of intervals.
function placed(labels, points, bars) {
  const taken = [...points];
  const meets = ([l, t, r, b], [l2, t2, r2, b2]) => l < r2 && l2 < r && t < b2 && t2 < b;
  const outside = ([l, t, r, b]) => l < PLOT.left || r > PLOT.width || t < 0 || b > PLOT.height - PLOT.bottom;
  return labels.map(({ text, places }) => {
    const wide = widthOf(text);
    const box = ([x, y, anchor]) => [x - (anchor === "end" ? wide : 0), y - 12, x + (anchor === "end" ? 0 : wide), y + 4];
    const cost = (place) => {
      const mine = box(place);
      const hidden = taken.filter((other) => meets(mine, other)).length;
      return 100 * (outside(mine) + hidden) + 8 * bars.filter((bar) => meets(mine, bar)).length + place[3];
    };
    const best = places.reduce((one, other) => (cost(other) < cost(one) ? other : one));
    taken.push(box(best));
    return best;
  });
}

// Systems that none other beats in both speed and error, the fastest first.
function front(measured) {
  let least = Infinity;
  const rank = (a, b) => pooled(b).real_time - pooled(a).real_time || pooled(a).der - pooled(b).der;
  return [...measured].sort(rank).filter((system) => {
    const better = pooled(system).der < least;
    least = Math.min(least, pooled(system).der);
    return better;
  });
}

function point(system, x, y, [tx, ty, anchor, far]) {
  const { der, der_interval: interval, real_time: speed } = pooled(system);
  const [cx, cy] = [x(speed), y(der)];
  return draw("g", { class: "point" },
    draw("title", {}, `${system}: ${percent(der)} % DER, ${speed.toFixed(1)} × real time`),
    interval ? draw("line", {
      x1: cx, x2: cx, y1: y(interval[0]), y2: y(interval[1]),
      stroke: "var(--accent)", "stroke-width": 2, "stroke-opacity": 0.45,
    }) : "",
    far ? draw("line", { class: "leader", x1: cx, y1: cy, x2: tx + (anchor === "end" ? 2 : -2), y2: ty - 4 }) : "",
    draw("circle", { cx, cy, r: 6, fill: "var(--accent)", stroke: "var(--card)", "stroke-width": 2 }),
    draw("text", { class: "name", x: tx, y: ty, "text-anchor": anchor }, system));
}

const unknownSpeed = (system) => `${system}, speed not measured`;

function unmeasured(system, y, [tx, ty, anchor]) {
  const { der } = pooled(system);
  return draw("g", {},
    draw("line", {
      x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: y(der), y2: y(der),
      stroke: "var(--soft)", "stroke-dasharray": "4 4",
    }),
    draw("text", { class: "over", x: tx, y: ty, "text-anchor": anchor }, unknownSpeed(system)));
}

function showSpeed() {
  const measured = systems.filter((system) => pooled(system).real_time);
  const others = systems.filter((system) => !measured.includes(system));
  const { y, ticks } = errorScale();
  const { width, height, left, right, bottom } = PLOT;
  const marks = ticks.map((tick) => draw("g", {},
    draw("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
    draw("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, String(Number((100 * tick).toFixed(1))))));
  const axis = measured.length ? speedScale(measured) : { x: null, ticks: [] };
  marks.push(...axis.ticks.map((tick) =>
    draw("text", { x: axis.x(tick), y: height - bottom + 18, "text-anchor": "middle" }, String(Number(tick.toPrecision(2))))));
  const spots = measured.map((system) => [axis.x(pooled(system).real_time), y(pooled(system).der)]);
  const bars = measured.flatMap((system, i) =>
    (pooled(system).der_interval ? [[spots[i][0] - 2, y(pooled(system).der_interval[1]), spots[i][0] + 2, y(pooled(system).der_interval[0])]] : []));
  const labels = [
    ...measured.map((system, i) => ({ text: system, places: around(...spots[i]) })),
    ...others.map((system) => ({ text: unknownSpeed(system), places: along(y(pooled(system).der)) })),
  ];
  const names = placed(labels, spots.map(([cx, cy]) => [cx - 7, cy - 7, cx + 7, cy + 7]), bars);
  const best = front(measured).map((system) => spots[measured.indexOf(system)].map((at) => at.toFixed(1)).join(","));
  byId("front-note").hidden = best.length < 2;
  byId("speed").replaceChildren(draw("svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "DER against speed; the figures are in the table" },
    ...marks,
    draw("text", { x: width - right, y: height - 6, "text-anchor": "end" }, "× real time, faster →"),
    draw("text", { x: left, y: height - 6 }, "DER %, better ↓"),
    best.length > 1 ? draw("polyline", { class: "front", points: best.join(" ") }) : "",
    ...others.map((system, i) => unmeasured(system, y, names[measured.length + i])),
    ...measured.map((system, i) => point(system, axis.x, y, names[i]))));
}
