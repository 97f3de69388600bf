/** Calls of the HTTP API. A key or a shared link is kept for this browser tab only and sent as a header only. */

/** path under which a proxy serves the API, such as `/parley`; mostly empty */
export const ROOT = new URL("../..", import.meta.url).pathname.slice(0, -1);

const KEY = "parley-key";
const LINK = "parley-link";

/** whether calls send the shared link, and no key */
let byLink = false;

/** An error that the API answered (RFC 9457), or that no answer came. */
export class Problem extends Error {
  /** @param {number} status 0 without an answer @param {string} code @param {string} title @param {string} detail @param {any} [document] */
  constructor(status, code, title, detail, document = {}) {
    super(detail);
    Object.assign(this, { status, code, title, document });
    this.status = status;
    this.code = code;
    this.title = title;
  }
}

/** @returns {string | null} */
export function key() {
  return sessionStorage.getItem(KEY);
}

/** @param {string | null} value null forgets the key */
export function setKey(value) {
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

/** Say whether calls send the shared link instead of the key. @param {boolean} shared */
export function useLink(shared) {
  byLink = shared;
}

/** Keep the secret of a shared link, and take it out of the address: it must not stay in the history. */
export function keepLink() {
  if (!location.hash) return;
  sessionStorage.setItem(LINK, location.hash.slice(1)); // its letters need no escape
  history.replaceState(null, "", location.pathname);
}

/** Return what calls send: the key, or the shared link. @returns {string | null} */
export function secret() {
  return byLink ? sessionStorage.getItem(LINK) : key();
}

/** @returns {Record<string, string>} */
export function authorization() {
  const value = secret();
  return value ? { Authorization: `Bearer ${value}` } : {};
}

/**
 * Return the response of a call. Raises Problem.
 * @param {string} path
 * @param {RequestInit} [options]
 */
export async function call(path, options = {}) {
  const headers = { ...authorization(), ...options.headers };
  let response;
  try {
    response = await fetch(path, { ...options, headers, credentials: "omit" });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Problem(0, "unreachable", "No answer", "The server does not answer. Check the network; the page tries again.");
  }
  if (!response.ok) throw await problemOf(response);
  return response;
}

/** @param {Response} response */
async function problemOf(response) {
  const document = await response.json().catch(() => ({}));
  const { code = "error", title = `Status ${response.status}`, detail = "The server answered with an error." } = document;
  return new Problem(response.status, code, title, detail, document);
}

/** @param {string} path @param {RequestInit} [options] @returns {Promise<any>} */
export async function json(path, options) {
  return (await call(path, options)).json();
}

/**
 * Return what follows a look of a list that failed: the next look, or for a key that is no longer taken the whole page again.
 * @param {() => void} again
 */
export function afterFailure(again) {
  return (/** @type {any} */ problem) => (problem.status === 401 ? void dispatchEvent(new Event("keyrefused")) : again());
}

/** @param {string} path @param {any} body @returns {Promise<any>} */
export function post(path, body) {
  const headers = { "Content-Type": "application/json" };
  return json(path, { method: "POST", headers, body: body === undefined ? undefined : JSON.stringify(body) });
}

/**
 * Yield the data of a job's server-sent events until the job has ended.
 * @param {string} jobId
 * @param {AbortSignal} signal
 */
export async function* events(jobId, signal) {
  const response = await call(`${ROOT}/v1/jobs/${jobId}/events`, { signal });
  const reader = /** @type {ReadableStream<Uint8Array>} */ (response.body).pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value).split(/\r?\n\r?\n/);
    text = blocks.pop() ?? "";
    for (const block of blocks) {
      const data = block.split(/\r?\n/).filter((line) => line.startsWith("data:")).map((line) => line.slice(5).trim());
      if (data.length) yield JSON.parse(data.join("\n"));
    }
  }
}
