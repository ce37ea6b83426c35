// "Check a file": the digest is computed here, and only the digest is sent to the node.

const drop = document.getElementById("drop");
const input = document.getElementById("file");
const progress = document.getElementById("progress");
const said = document.getElementById("said");
let worker = null;
// Where browsers guard what may become a script, only the page's own program gets through.
const policy = window.trustedTypes && window.trustedTypes.createPolicy("proml", { createScriptURL: () => drop.dataset.worker });
const program = policy ? policy.createScriptURL("") : drop.dataset.worker;

function say(text) {
  said.textContent = text;
}

function start(file) {
  if (worker) worker.terminate();
  worker = new Worker(program, { type: "module" });
  progress.hidden = false;
  progress.value = 0;
  say(`Hashing ${file.name} in this browser …`);
  worker.onmessage = ({ data }) => {
    if (data.problem) {
      progress.hidden = true;
      say(`The file could not be read: ${data.problem}. Choose it again, or use "proml verify".`);
    } else if (data.digest) {
      say(`SHA-256 ${data.digest}. Asking the node what it knows …`);
      window.location.assign(`${drop.dataset.target}?digest=${data.digest}&name=${encodeURIComponent(file.name)}`);
    } else {
      progress.value = data.of ? data.done / data.of : 1;
    }
  };
  worker.onerror = () => say("The hashing program did not load. Reload the page, or use \"proml verify\".");
  worker.postMessage({ file });
}

drop.hidden = false;
input.addEventListener("change", () => input.files.length && start(input.files[0]));
drop.addEventListener("dragover", (event) => {
  event.preventDefault();
  drop.classList.add("over");
});
drop.addEventListener("dragleave", () => drop.classList.remove("over"));
drop.addEventListener("drop", (event) => {
  event.preventDefault();
  drop.classList.remove("over");
  const item = event.dataTransfer.items && event.dataTransfer.items[0];
  const entry = item && item.webkitGetAsEntry && item.webkitGetAsEntry();
  if (entry && entry.isDirectory) {
    say("This is a folder; its digest covers every file in it. Use \"proml verify FOLDER\" for that.");
  } else if (event.dataTransfer.files.length) {
    start(event.dataTransfer.files[0]);
  }
});
