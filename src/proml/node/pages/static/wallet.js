// Signing with a wallet of this browser (EIP-1193): signing in, and the fresh signature before anything is approved.

const API = "/api/v1";

export class Refused extends Error {}

export async function ask(method, path, body) {
  const headers = { "content-type": "application/json", accept: "application/json" };
  if (method === "POST") headers["idempotency-key"] = crypto.randomUUID();
  const answer = await fetch(API + path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  const content = answer.status === 204 ? {} : await answer.json();
  if (!answer.ok) {
    const problem = new Refused([content.detail, content.hint].filter(Boolean).join(": "));
    problem.kind = content.type;
    throw problem;
  }
  return content;
}

function wallet() {
  if (!window.ethereum) {
    throw new Refused("there is no wallet in this browser; the commands shown on the pages do the same with the project's key");
  }
  return window.ethereum;
}

async function account() {
  const [address] = await wallet().request({ method: "eth_requestAccounts" });
  return address;
}

export async function signIn() {
  const address = await account();
  const { text } = await ask("POST", "/sign-in/texts", { address });
  const signature = await wallet().request({ method: "personal_sign", params: [text, address] });
  return ask("POST", "/sign-in", { text, signature });
}

export async function signStatement(statement) {
  const params = [await account(), JSON.stringify(statement.typed)];
  return { signature: await wallet().request({ method: "eth_signTypedData_v4", params }) };
}
