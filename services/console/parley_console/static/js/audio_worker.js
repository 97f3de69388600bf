/**
 * Service worker: adds the key or the shared link to the requests of the player, which cannot send headers itself. It keeps nothing: the
 * page answers with the key each time, and no response is cached.
 */

const RECORDING = /^\/v1\/(jobs\/[^/]+|shared)\/audio$/;
const scope = /** @type {any} */ (self);
const root = new URL(scope.registration.scope).pathname.slice(0, -1); // path under which a proxy serves the API

scope.addEventListener("install", () => scope.skipWaiting());
scope.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("message", (/** @type {any} */ event) => event.data === "claim" && event.waitUntil(scope.clients.claim()));
scope.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request, clientId } = event;
  const url = new URL(request.url);
  if (url.origin !== scope.location.origin || !RECORDING.test(url.pathname.slice(root.length)) || request.headers.has("authorization")) return;
  event.respondWith(withKey(request, clientId));
});

/** @param {Request} request @param {string} clientId */
async function withKey(request, clientId) {
  const headers = new Headers();
  const range = request.headers.get("range");
  if (range) headers.set("Range", range);
  const key = await keyOf(await scope.clients.get(clientId));
  if (key) headers.set("Authorization", `Bearer ${key}`);
  return fetch(request.url, { headers, credentials: "omit", cache: "no-store", signal: request.signal });
}

/** @param {any} page */
function keyOf(page) {
  if (!page) return null;
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => resolve(data);
    page.postMessage("key?", [port2]);
  });
}
