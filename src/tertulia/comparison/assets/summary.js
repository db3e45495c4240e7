// The head of the page: what was compared, and who is best.

function showSummary() {
  const best = pooled(systems[0]).best;
  const figures = pooled(best);
  const interval = figures.der_interval
    ? ` (95 % interval ${figures.der_interval.map((x) => percent(x, 1)).join(" to ")} %)` : "";
  const speed = figures.real_time ? `, at ${figures.real_time.toFixed(0)} × real time` : "";
  byId("title").textContent = data.data;
  byId("verdict").replaceChildren(
    make("b", {}, best),
    ` ${systems.length > 1 ? "makes the fewest errors: " : "makes "}`,
    make("b", {}, `${percent(figures.der)} % DER`),
    `${interval}${speed}.`,
  );
  const names = data.groups[state.group];
  const seconds = names.reduce((sum, name) => sum + data.recordings[name].seconds, 0);
  const facts = [
    `${systems.length} system${systems.length > 1 ? "s" : ""}`,
    `${names.length} recording${names.length > 1 ? "s" : ""}`,
    `${(seconds / 60).toFixed(1)} min`,
    data.protocol.description,
  ];
  byId("facts").replaceChildren(...facts.map((fact) => make("li", {}, fact)));
  byId("footer").textContent = `Made by tertulia ${data.tertulia}.`;
}

function offerGroups() {
  const groups = Object.keys(data.groups);
  byId("group-choice").hidden = groups.length < 2;
  byId("group").replaceChildren(...groups.map((name) => make("option", { value: name }, name)));
  byId("group").addEventListener("change", (event) => {
    state.group = event.target.value;
    showGroup();
  });
}
