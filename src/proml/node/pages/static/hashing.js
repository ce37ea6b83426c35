// Hashes a file in the background, slice by slice, so that a file of any size needs little memory.
// Receives {file}; answers {done, of} while at it, then {digest}, or {problem}.

import { sha256 } from "./vendor/noble-hashes/sha2.js";
import { bytesToHex } from "./vendor/noble-hashes/utils.js";

const SLICE = 8 * 1024 * 1024;

self.onmessage = async ({ data: { file } }) => {
  try {
    const hash = sha256.create();
    for (let start = 0; start < file.size; start += SLICE) {
      const slice = file.slice(start, start + SLICE);
      hash.update(new Uint8Array(await slice.arrayBuffer()));
      self.postMessage({ done: Math.min(start + SLICE, file.size), of: file.size });
    }
    self.postMessage({ digest: "0x" + bytesToHex(hash.digest()) });
  } catch (problem) {
    self.postMessage({ problem: String(problem.message || problem) });
  }
};
