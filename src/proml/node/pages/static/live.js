// Says when the ledger has moved on since the page was made; the reader decides when to load it anew.

const live = document.getElementById("live");
if (live && "EventSource" in window) {
  const source = new EventSource(live.dataset.source);
  source.addEventListener("indexed", (event) => {
    const head = JSON.parse(event.data);
    if (head.block > Number(live.dataset.block)) live.hidden = false;
  });
  window.addEventListener("pagehide", () => source.close());
}
