// Buttons that make a step or decide about a proposal. What approves or decides is signed anew, word by word.

import { ask, signStatement } from "./wallet.js";

const said = document.getElementById("acted");

async function signed(kind, request) {
  const statement = await ask("POST", `/${kind}`, request);
  said.textContent = `Sign this in your wallet: “${statement.text}”.`;
  const done = await ask("POST", `/${kind}/${statement.id}/signature`, await signStatement(statement));
  return done.text;
}

async function step(request) {
  try {
    await ask("POST", "/steps", request);
    return `${request.action} is noted`;
  } catch (problem) {
    if (problem.kind !== "urn:proml:signature-needed") throw problem;
    return signed("approvals", request);
  }
}

for (const button of document.querySelectorAll("button[data-action], button[data-decision]")) {
  button.addEventListener("click", async () => {
    const { action, artefact, decision, proposal } = button.dataset;
    button.disabled = true;
    try {
      const done = action ? await step({ action, artefact }) : await signed("decisions", { decision, proposal: Number(proposal) });
      said.textContent = `Done: ${done}. This page tells when it is on the ledger.`;
    } catch (problem) {
      said.textContent = `Nothing was done: ${problem.message}.`;
      button.disabled = false;
    }
  });
}
