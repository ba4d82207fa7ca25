// One entry of the record, with everything that is known about it.

import { get } from "./api.js";
import { h, http, json, link, list, orderLink, status, time } from "./dom.js";

export const SOURCES = {
  api: "API",
  webhook: "webhook",
  webhookCopy: "copy of a webhook",
  adyen: "Adyen",
  amazonPay: "Amazon Pay",
  dynamodb: "DynamoDB",
};

/** The subject of an entry, in one line. */
export function title(entry) {
  switch (entry.source) {
    case "dynamodb": return entry.summary;
    case "webhook":
    case "webhookCopy": return entry.summary || "unreadable";
    default: return `${entry.method} ${entry.path}`;
  }
}

/** The code of a problem, its field, and what Adyen or the token's claims say about it. */
export function problem(entry) {
  if (!entry.problem) return null;
  const { code, field, detail, said } = entry.problem;
  return h("p", { class: "bad" }, h("code", {}, code),
    field ? [" at ", h("code", {}, field)] : null,
    detail ? `: ${detail}` : null,
    said ? h("span", { class: "soft" }, ` (Adyen or Amazon Pay said ${said})`) : null);
}

/** A fold that fetches the JSON of an entry when it is opened. */
export function raw(entry) {
  const body = h("div", {});
  const load = async () => {
    if (body.hasChildNodes()) return;
    const whole = await get(`entries/${entry.id}`);
    body.replaceChildren(json(whole.request), json(whole.answer ?? "no answer"));
  };
  return h("details", { "data-key": `raw-${entry.id}`, "data-keep": "", ontoggle: (it) => it.target.open && load() },
    h("summary", {}, "JSON", h("span", { class: "soft" }, ` of ${title(entry)}`)), body);
}

export async function entry(id) {
  return {
    async show() {
      const it = await get(`entries/${encodeURIComponent(id)}`);
      return [
        h("h1", {}, title(it)),
        list([
          ["Source", SOURCES[it.source]],
          ["At", time(it.at)],
          ["Took", `${it.milliseconds} ms`],
          ["Answer", http(it.status)],
          ["Query", it.query],
          ["Note", it.note],
          ["Function", it.function],
          ["Capacity units", it.units],
          ["Orders", it.references.map((reference) => [orderLink(reference), " "])],
          ["pspReferences", it.pspReferences.join(" ")],
        ]),
        problem(it),
        it.signature ? signature(it.signature) : null,
        it.write ? [h("h2", {}, "The order that it wrote"), rule(it.write.explanation)] : null,
        h("h2", {}, "Request"), json(it.request),
        h("h2", {}, "Answer"), json(it.answer ?? "no answer"),
        h("p", {}, link("requests", "All requests")),
      ];
    },
  };
}

export function signature({ base, given, key }) {
  return list([
    ["Signed text", h("code", {}, base)],
    ["Signature", h("code", {}, given ?? "none")],
    ["Key", key ? h("span", { class: "good" }, key) : h("span", { class: "bad" }, "no known key matches")],
  ]);
}

/** A status with the rule and the facts that gave it. */
export function rule(it) {
  const counted = it.events.filter((event) => event.effect !== "changes no status now");
  return h("div", { class: "rule" },
    h("p", {}, status(it.status), it.confirmed ? ", confirmed" : ", not confirmed",
      " — rule ", String(it.rule.number), " of 8: ", it.rule.text, "."),
    h("ul", {},
      it.attempts.map((attempt) => h("li", {},
        `Attempt ${attempt.number} is ${attempt.status}: `,
        attempt.because, attempt.answer ? `. ${attempt.answer}.` : ".")),
      counted.map((event) => h("li", {},
        h("code", {}, `${event.eventCode} ${event.success}`), " of ",
        h("code", {}, event.originalReference ?? event.pspReference), `: ${event.effect}.`)),
      it.needsAttention.map((reason) => h("li", { class: "bad" }, `Needs attention: ${reason}`))));
}
