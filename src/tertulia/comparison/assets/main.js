// Put it together; the recording that is shown is part of the address, so that it can be passed on.

function choose(name, look) {
  state.recording = name;
  for (const row of byId("heat").querySelectorAll("tbody tr"))
    row.setAttribute("aria-selected", String(row.dataset.name === name));
  byId("zoom").value = 0;
  showRecording();
  if (!look) return;
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
  byId("detail").scrollIntoView({ behavior: "smooth", block: "start" });
}

function step(by) {
  const names = ordered();
  choose(names[(names.indexOf(state.recording) + by + names.length) % names.length], true);
}

function showGroup() {
  showSummary();
  showTable();
  showSpeed();
  showHeat();
  offerSystems();
  if (!data.groups[state.group].includes(state.recording)) choose(ordered()[0], false);
  else showTracks();
}

document.title = `${data.data}: speaker diarization, compared`;
byId("pair").classList.toggle("crowded", crowded);
legend(byId("legend"));
legend(byId("detail-legend"));
offerGroups();
listen();
byId("order").addEventListener("change", (event) => {
  state.order = event.target.value;
  showHeat();
});
byId("previous").addEventListener("click", () => step(-1));
byId("next").addEventListener("click", () => step(1));
showGroup();
let linked = "";
try {
  linked = decodeURIComponent(location.hash.slice(1));
} catch { /* an address somebody mistyped */ }
if (Object.hasOwn(data.recordings, linked)) choose(linked, true);
