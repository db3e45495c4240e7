// DER of every system on every recording; a row chooses the recording below.

const ORDERS = {
  name: null,
  hard: (rates) => rates.reduce((sum, rate) => sum + rate, 0),
  apart: (rates) => Math.max(...rates) - Math.min(...rates),
};

function ordered() {
  const names = [...data.groups[state.group]];
  const rank = ORDERS[state.order];
  if (!rank) return names.sort((a, b) => a.localeCompare(b));
  const value = (name) => rank(systems.map((system) => scores(system, name).der));
  return names.sort((a, b) => value(b) - value(a) || a.localeCompare(b));
}

function heatCell(system, name, worst) {
  const { der } = scores(system, name);
  const share = Math.min(der / worst, 1);
  const ink = share > 0.75 ? "#fff" : "inherit";
  const style = `background:color-mix(in srgb, var(--heat) ${(6 + 94 * share).toFixed(0)}%, var(--card));color:${ink}`;
  return make("td", { style, title: `${system} on ${name}` }, percent(der, 1));
}

function showHeat() {
  const names = ordered();
  const columns = ranked();
  const worst = Math.min(1, Math.max(0.1, ...names.flatMap((name) => systems.map((s) => scores(s, name).der))));
  const rows = names.map((name) => {
    const open = () => choose(name, true);
    const onkeydown = (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      open();
    };
    return make("tr",
      { "data-name": name, tabindex: 0, "aria-selected": String(name === state.recording), onclick: open, onkeydown },
      make("th", { scope: "row", title: name }, name),
      ...columns.map((system) => heatCell(system, name, worst)));
  });
  byId("heat").replaceChildren(
    make("thead", {}, make("tr", {}, make("th", {}, "Recording"), ...columns.map((s) => make("th", { scope: "col" }, s)))),
    make("tbody", {}, ...rows),
  );
}
