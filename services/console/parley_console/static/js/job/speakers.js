/** Who speaks, and how much. */

import { fill, h, icon } from "../dom.js";
import { clock, percent } from "../format.js";
import { correctSpeaker } from "./speaker_dialog.js";

/** @param {import("./session.js").Session} session @param {import("./editor.js").Editor | null} editor null where nothing can be corrected */
export function speakerTable(session, editor) {
  const body = h("tbody");
  const titles = [["Speaker", ""], ["Time", "amount"], ["Share", "amount"], ["Turns", "amount"], ...(editor ? [["", ""]] : [])];
  const head = h("thead", {}, h("tr", {}, titles.map(([title, classes]) => title ? h("th", { scope: "col", class: classes || null }, title) : h("td"))));
  const table = h("table.speakers", {}, h("caption.visually-hidden", {}, "Totals of each speaker"), head, body);

  function show() {
    const { model } = session;
    fill(body, model.speakers.map((speaker) => {
      const share = speaker.seconds / Math.max(1e-9, model.talk);
      const chip = h("i.chip", { style: { "--chip": `var(--speaker-${speaker.colour})` } });
      const bar = h("span.share-bar", { style: { "--chip": `var(--speaker-${speaker.colour})`, "--share": String(share) } });
      const alone = session.speaker === speaker.index;
      return h(
        "tr",
        { class: alone ? "alone" : null },
        h("th", { scope: "row" }, chip, h("span.speaker-name", {}, speaker.name, speaker.role && h("small.muted", {}, speaker.role), speaker.several && h("small.flag", {}, "Several?")), bar),
        h("td.amount", {}, clock(speaker.seconds)),
        h("td.amount", {}, percent(share)),
        h("td.amount", {}, speaker.turns.length.toLocaleString("en")),
        editor && h("td", {}, h("button.button.quiet.icon-only", { type: "button", "aria-label": `Correct ${speaker.name}`, title: "Name, role, the same person as another", onclick: () => correctSpeaker(session, editor, speaker) }, icon("edit"))),
      );
    }));
  }

  session.on(session, "model", show);
  session.on(session, "filter", show);
  show();
  return h("section.panel", { "aria-label": "Speakers" }, h("div.panel-head", {}, h("h2", {}, "Speakers")), table);
}
