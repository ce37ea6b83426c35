// The lineage as a graph one can move about in: places come from the node, a click fetches the neighbours.
// The table beside it says the same to everybody who does not see or use the graph.

const frame = document.getElementById("graph");
const said = document.getElementById("graph-said");
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--pm-${name}`).trim();
const KINDS = ["dataset", "run", "model", "evaluation", "dependency"];

function elements(lineage) {
  const nodes = lineage.artefacts.map((each) => ({
    group: "nodes",
    data: { id: each.id, label: `${each.kind} ${each.name || each.id.slice(2, 10)}\n${each.state}`, kind: each.kind },
    classes: [each.is_recalled ? "recalled" : "", each.is_tainted ? "tainted" : "", each.id === lineage.focus ? "focus" : ""].join(" "),
    position: { x: each.x, y: each.y },
  }));
  const edges = lineage.derivations.map((each) => ({
    group: "edges",
    data: { id: `${each.source}-${each.target}-${each.sequence}`, source: each.source, target: each.target },
    classes: each.carries_taint ? "carries" : "",
  }));
  return [...nodes, ...edges];
}

function look() {
  const kinds = KINDS.map((kind) => ({ selector: `node[kind = "${kind}"]`, style: { "border-color": colour(kind) } }));
  return [
    {
      selector: "node",
      style: {
        shape: "round-rectangle", width: 168, height: 50, label: "data(label)", "text-wrap": "wrap", "text-max-width": 156,
        "text-valign": "center", "text-halign": "center", "font-size": 12, "font-family": "Inter, system-ui, sans-serif",
        color: colour("ink"), "background-color": colour("surface"), "border-width": 2, "border-color": colour("muted"),
      },
    },
    ...kinds,
    { selector: ".tainted", style: { "border-style": "dashed", "border-color": colour("bad"), "background-color": colour("bad-tint") } },
    { selector: ".recalled", style: { "border-width": 4, "border-color": colour("bad"), "background-color": colour("bad-tint") } },
    { selector: ".focus", style: { "border-width": 4 } },
    { selector: "edge", style: { width: 1.75, "line-color": colour("link"), "target-arrow-color": colour("link"), "target-arrow-shape": "triangle", "curve-style": "bezier" } },
    { selector: ".carries", style: { width: 2.5, "line-style": "dashed", "line-color": colour("bad"), "target-arrow-color": colour("bad") } },
  ];
}

async function lineageOf(address) {
  const answer = await fetch(address, { headers: { Accept: "application/json" } });
  if (!answer.ok) throw new Error(`the node answered ${answer.status}`);
  return answer.json();
}

async function begin() {
  const address = (identifier) => frame.dataset.source.replace("ID", identifier);
  const lineage = (await lineageOf(frame.dataset.begin)).content.lineage;
  frame.hidden = false;
  const graph = cytoscape({ container: frame, elements: elements(lineage), style: look(), layout: { name: "preset", fit: true, padding: 24 }, maxZoom: 2 });
  if (graph.zoom() > 1) { graph.zoom(1); graph.center(); }
  graph.on("tap", "node", async (event) => {
    const tapped = event.target;
    if (tapped.data("open")) { window.location.assign(frame.dataset.page.replace("ID", tapped.id())); return; }
    tapped.data("open", true);
    try {
      const further = (await lineageOf(address(tapped.id()))).content.lineage;
      const origin = further.artefacts.find((each) => each.id === tapped.id());
      const at = tapped.position();
      const fresh = elements(further).filter((each) => graph.getElementById(each.data.id).empty());
      for (const each of fresh) {
        if (each.position) each.position = { x: each.position.x - origin.x + at.x, y: each.position.y - origin.y + at.y };
        each.classes = each.classes.replace("focus", "");
      }
      graph.add(fresh);
      said.textContent = fresh.length ? `${fresh.filter((each) => each.position).length} more artefacts shown. Choose one again to open its page.` : "Nothing further. Choose it again to open its page.";
    } catch (problem) {
      tapped.data("open", false);
      said.textContent = `Its neighbours could not be fetched: ${problem.message}.`;
    }
  });
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => graph.style(look()));
}

begin().catch((problem) => { said.textContent = `The graph could not be drawn: ${problem.message}. The table below has everything.`; });
