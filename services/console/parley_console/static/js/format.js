/** Numbers, times and names as people read them. */

/** Return a position as `0:07`, `12:31` or `3:59:10`. @param {number} seconds */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (/** @type {number} */ number) => String(number).padStart(2, "0");
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

/** Return a position to a tenth of a second. @param {number} seconds */
export function fineClock(seconds) {
  const tenths = Math.floor(Math.max(0, seconds) * 10 + 1e-6);
  return `${clock(tenths / 10)}.${tenths % 10}`;
}

/** Return a duration for a screen reader: `12 minutes 31 seconds`. @param {number} seconds */
export function spoken(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const parts = [
    [Math.floor(whole / 3600), "hour"],
    [Math.floor(whole / 60) % 60, "minute"],
    [whole % 60, "second"],
  ].filter(([number]) => number);
  return parts.map(([number, unit]) => count(Number(number), String(unit))).join(" ") || "0 seconds";
}

/** Return the time until a job ends as `about 40 s left`; empty if unknown. @param {{seconds: number, high: number} | null} eta */
export function timeLeft(eta) {
  if (!eta) return "";
  const seconds = Math.max(1, Math.round(eta.seconds));
  if (seconds < 90) return `about ${seconds < 20 ? seconds : Math.round(seconds / 5) * 5} s left`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `about ${minutes} min left` : `about ${(minutes / 60).toFixed(1)} h left`;
}

/** Return `1 turn` or `7 turns`. @param {number} number @param {string} noun */
export function count(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

/** @param {number} share 0 to 1 */
export function percent(share) {
  return `${Math.round(share * 100)} %`;
}

/** @param {number} bytes */
export function size(bytes) {
  for (const [unit, length] of /** @type {[string, number][]} */ ([["GB", 1e9], ["MB", 1e6], ["kB", 1e3]]))
    if (bytes >= length) return `${(bytes / length).toFixed(bytes >= 10 * length ? 0 : 1)} ${unit}`;
  return `${bytes} B`;
}

/** Return a moment as the user's country writes it, without the year if it is this one. @param {string} moment RFC 3339 */
export function when(moment) {
  const date = new Date(moment);
  const time = { hour: "2-digit", minute: "2-digit" };
  const sameDay = date.toDateString() === new Date().toDateString();
  const sameYear = date.getFullYear() === new Date().getFullYear();
  const day = sameDay ? {} : { day: "numeric", month: "short", ...(sameYear ? {} : { year: "numeric" }) };
  return date.toLocaleString(undefined, /** @type {any} */ ({ ...day, ...time, hourCycle: "h23" }));
}

/** Return what a job is called: file name, reference or the start of its id. @param {any} job */
export function nameOf(job) {
  return job.recording.file_name || job.reference || `Recording ${job.id.slice(0, 13)}`;
}
