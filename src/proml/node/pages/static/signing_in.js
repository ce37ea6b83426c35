// Signing in and out.

import { ask, signIn } from "./wallet.js";

const said = document.getElementById("said");

document.getElementById("sign-in")?.addEventListener("click", async () => {
  try {
    said.textContent = "Look at your wallet: it shows the text to sign.";
    await signIn();
    window.location.assign("/");
  } catch (problem) {
    said.textContent = `Not signed in: ${problem.message}.`;
  }
});

document.getElementById("sign-out")?.addEventListener("click", async () => {
  try {
    await ask("DELETE", "/sign-in");
    window.location.assign("/");
  } catch (problem) {
    said.textContent = `Not signed out: ${problem.message}.`;
  }
});
