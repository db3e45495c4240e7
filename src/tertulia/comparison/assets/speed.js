// DER against speed, speed on a logarithmic axis; results from elsewhere, whose speed nobody measured, as lines.

const PLOT = { width: 520, height: 380, left: 46, right: 18, top: 14, bottom: 44 };

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

// Put each name to the right of its point, or where it hides no other name or point.
function placed(measured, x, y) {
  const spots = measured.map((system) => [x(pooled(system).real_time), y(pooled(system).der)]);
  const taken = spots.map(([cx, cy]) => [cx - 7, cy - 7, cx + 7, cy + 7]);
  const free = ([l, t, r, b]) =>
    l >= PLOT.left && r <= PLOT.width && !taken.some(([l2, t2, r2, b2]) => l < r2 && l2 < r && t < b2 && t2 < b);
  return measured.map((system, i) => {
    const [cx, cy] = spots[i];
    const wide = system.length * 7.5;
    const ways = [
      [cx + 11, cy + 4, "start"], [cx - 11, cy + 4, "end"],
      [cx + 8, cy - 10, "start"], [cx + 8, cy + 20, "start"], [cx - 8, cy - 10, "end"], [cx - 8, cy + 20, "end"],
    ];
    const box = ([tx, ty, anchor]) => [tx - (anchor === "end" ? wide : 0), ty - 11, tx + (anchor === "end" ? 0 : wide), ty + 3];
    const way = ways.find((each) => free(box(each))) ?? ways[0];
    taken.push(box(way));
    return way;
  });
}

function point(system, x, y, [tx, ty, anchor]) {
  const { der, der_interval: interval, real_time: speed } = pooled(system);
  return draw("g", { class: "point" },
    draw("title", {}, `${system}: ${percent(der)} % DER, ${speed.toFixed(1)} × real time`),
    interval ? draw("line", {
      x1: x(speed), x2: x(speed), y1: y(interval[0]), y2: y(interval[1]),
      stroke: "var(--accent)", "stroke-width": 2, "stroke-opacity": 0.45,
    }) : "",
    draw("circle", { cx: x(speed), cy: y(der), r: 6, fill: "var(--accent)", stroke: "var(--card)", "stroke-width": 2 }),
    draw("text", { class: "name", x: tx, y: ty, "text-anchor": anchor }, system));
}

function unmeasured(system, y) {
  const { der } = pooled(system);
  return draw("g", {},
    draw("line", {
      x1: PLOT.left, x2: PLOT.width - PLOT.right, y1: y(der), y2: y(der),
      stroke: "var(--soft)", "stroke-dasharray": "4 4",
    }),
    draw("text", { x: PLOT.left + 6, y: y(der) - 5 }, `${system}, speed not measured`));
}

function showSpeed() {
  const measured = systems.filter((system) => pooled(system).real_time);
  const { y, ticks } = errorScale();
  const { width, height, left, right, bottom } = PLOT;
  const marks = ticks.map((tick) => draw("g", {},
    draw("line", { class: "grid", x1: left, x2: width - right, y1: y(tick), y2: y(tick) }),
    draw("text", { x: left - 8, y: y(tick) + 4, "text-anchor": "end" }, String(Number((100 * tick).toFixed(1))))));
  const axis = measured.length ? speedScale(measured) : { x: null, ticks: [] };
  const names = measured.length ? placed(measured, axis.x, y) : [];
  marks.push(...axis.ticks.map((tick) =>
    draw("text", { x: axis.x(tick), y: height - bottom + 18, "text-anchor": "middle" }, String(Number(tick.toPrecision(2))))));
  byId("speed").replaceChildren(draw("svg",
    { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "DER against speed; the figures are in the table" },
    ...marks,
    draw("text", { x: width - right, y: height - 6, "text-anchor": "end" }, "× real time, faster →"),
    draw("text", { x: left, y: height - 6 }, "DER %, better ↓"),
    ...systems.filter((system) => !measured.includes(system)).map((system) => unmeasured(system, y)),
    ...measured.map((system, i) => point(system, axis.x, y, names[i]))));
}
