// The sortable table of systems.

const COLUMNS = [
  { key: "name", title: "System" },
  { key: "der", title: "DER", unit: "%, and 95 % interval", cell: derCell },
  { key: "difference", title: "To best", unit: "points", cell: differenceCell },
  { key: "false_alarm", title: "False alarm", unit: "%", text: percent },
  { key: "missed", title: "Missed", unit: "%", text: percent },
  { key: "confusion", title: "Confusion", unit: "%", text: percent },
  { key: "jer", title: "JER", unit: "%", text: percent },
  { key: "speaker_count_error", title: "Count off", unit: "speakers", text: (x) => x.toFixed(2) },
  { key: "change_f1", title: "Change F1", unit: "%", text: (x) => percent(x, 1), more: true },
  { key: "real_time", title: "Speed", unit: "× real time", text: (x) => x.toFixed(x < 10 ? 1 : 0), more: true },
  { key: "memory", title: "Memory", unit: "MB", text: (x) => (x / 1e6).toFixed(0) },
  { key: "parameters", title: "Weights", unit: "million", text: (x) => (x / 1e6).toFixed(1) },
];

const valueOf = (column, system) =>
  column.key === "name" ? system : pooled(system)[column.key];

function derCell(figures) {
  const most = Math.max(...systems.map((system) => pooled(system).der)) || 1;
  const parts = Object.keys(KINDS).map((kind) =>
    make("i", {
      style: `width:${(100 * figures[kind]) / most}%;background:${colour(kind)}`,
      title: `${KINDS[kind]} ${percent(figures[kind])} %`,
    }));
  const interval = figures.der_interval;
  return make("td", { class: "der" },
    make("b", {}, percent(figures.der)),
    make("span", { class: "soft within" }, interval ? interval.map((x) => percent(x, 1)).join(" – ") : ""),
    make("span", { class: "parts" }, ...parts));
}

function differenceCell(figures, system) {
  if (system === figures.best) return make("td", { class: "soft" }, "—");
  const interval = figures.difference_interval;
  const sure = interval && interval[0] > 0;
  const words = `${interval && !sure ? "≈ " : ""}+${percent(figures.difference)}`;
  const between = interval
    ? make("span", { class: "soft below" }, `${interval.map((x) => signed(percent(x, 1))).join(" to ")}`) : "";
  return make("td", {}, words, between);
}

function plainCell(column, figures) {
  const value = figures[column.key];
  return value === null ? make("td", { class: "soft" }, "—") : make("td", {}, column.text(value));
}

function sorted() {
  const column = COLUMNS.find(({ key }) => key === state.sort);
  const sign = state.descending ? -1 : 1;
  return [...systems].sort((a, b) => {
    const [x, y] = [valueOf(column, a), valueOf(column, b)];
    if (x == null || y == null) return (x == null) - (y == null); // the unmeasured come last, whichever way
    return sign * (typeof x === "string" ? x.localeCompare(y) : x - y);
  });
}

function heading(column) {
  const direction = state.descending ? "descending" : "ascending";
  const sort = () => {
    state.descending = state.sort === column.key ? !state.descending : Boolean(column.more);
    state.sort = column.key;
    showTable();
    byId("systems").querySelector(`[data-key="${column.key}"] button`).focus();
  };
  return make("th", { scope: "col", "data-key": column.key, "aria-sort": state.sort === column.key ? direction : null },
    make("button", { type: "button", onclick: sort }, column.title),
    make("span", { class: "unit" }, column.unit ?? "\u00a0"));
}

function showTable() {
  const rows = sorted().map((system) => {
    const figures = pooled(system);
    const cells = COLUMNS.slice(1).map((column) => (column.cell ?? ((f) => plainCell(column, f)))(figures, system));
    const mark = system === figures.best && systems.length > 1 ? "best" : null;
    return make("tr", { "data-system": system, class: mark }, make("th", { scope: "row" }, system), ...cells);
  });
  byId("systems").replaceChildren(
    make("thead", {}, make("tr", {}, ...COLUMNS.map(heading))),
    make("tbody", {}, ...rows),
  );
}
