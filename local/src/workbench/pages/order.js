// One order: why it has its status, and everything that happened to it.

import { act, get } from "./api.js";
import { button, field, h, http, json, link, list, minorUnits, money, status, table, time } from "./dom.js";
import { SOURCES, problem, raw, rule, title } from "./details.js";

export async function order(reference) {
  const value = h("input", { name: "value", inputmode: "numeric", pattern: "[0-9]*", size: "8", placeholder: "all" });
  const modify = (operation) => async () =>
    act({ action: "modify", reference, operation, value: minorUnits(value.value) });
  const happens = (action, more = {}) => () => act({ action, reference, ...more });
  const form = h("form", { onsubmit: (it) => it.preventDefault() },
    field("Minor units", value),
    button("Capture", modify("capture")),
    button("Refund", modify("refund")),
    button("Cancel", modify("cancel")),
    button("Reverse", modify("reversal")),
    button("Charge back", happens("chargeBack")),
    button("Expire", happens("expire")),
    button("Close the offer", happens("closeOffer")),
    button("Let it be paid", happens("pay")),
    button("Let it be declined", happens("pay", { approved: false })));
  const reads = h("input", { type: "checkbox" });
  reads.addEventListener("change", () => dispatchEvent(new Event("changed")));
  const choice = h("p", {}, h("label", { class: "check" }, reads, "Show reads that changed nothing"));
  const box = h("fieldset", {}, h("legend", {}, "Do"), form);
  return {
    async show() {
      const { order: it, item, timeline } = await get(`orders/${encodeURIComponent(reference)}`);
      return [
        h("h1", {}, "Order ", reference),
        it ? summary(it) : h("p", {}, "Nothing was written about this order."),
        it ? box : null,
        it && it.modifications.length > 0 ? modifications(it) : null,
        h("h2", {}, "Timeline"),
        choice,
        timeline.length === 0
          ? h("p", {}, "Nothing was recorded since the start of cargo dev.")
          : h("ol", { class: "timeline" }, lines(timeline.filter((entry) => reads.checked || !isRead(entry)))),
        item ? [h("h2", {}, "Stored item"),
          h("details", { "data-key": "item" }, h("summary", {}, "JSON of the item"), json(item))] : null,
        h("p", {}, link(`webhooks?reference=${encodeURIComponent(reference)}`, "Send a webhook about it")),
      ];
    },
  };
}

function summary(it) {
  const currency = it.amount.currency;
  const of = (value) => money({ currency, value });
  return [
    list([
      ["Status", [status(it.status), it.confirmed ? ", confirmed" : ", not confirmed"]],
      ["Amount", money(it.amount)],
      ["Authorised, captured, refunded", `${of(it.authorised)}, ${of(it.captured)}, ${of(it.refunded)}`],
      ["Payment", it.pspReference],
      ["Next step", it.nextStep],
      ["The schedule looks at", time(it.dueAt)],
      ["Version", String(it.version)],
    ]),
    h("h2", {}, "Why"),
    rule(it),
  ];
}

function modifications(it) {
  const currency = it.amount.currency;
  return table("Modifications", ["Operation", "#Amount", "State", "pspReference", "Requested"],
    it.modifications.map((one) => [
      one.operation, money({ currency, value: one.value }), one.state, one.pspReference ?? "", time(one.requestedAt),
    ]));
}

/** True for requests and calls that only read, and worked. */
function isRead(entry) {
  const reads = ["GET", "GetItem", "Query", "Scan"];
  return ["api", "dynamodb"].includes(entry.source) && reads.includes(entry.method) && entry.status === 200;
}

/** Calls that were made in the course of a request are indented below it. */
function lines(timeline) {
  const outer = new Set(timeline
    .filter((entry) => entry.source === "api" || entry.source === "webhook")
    .map((entry) => entry.trace));
  return timeline.map((entry) => {
    const inner = entry.source !== "api" && entry.source !== "webhook" && outer.has(entry.trace);
    const kind = entry.write ? "write" : entry.problem || entry.status === null ? "problem" : "";
    return h("li", { class: `${inner ? "inner" : ""} ${kind}` },
      h("div", { class: "head" },
        time(entry.at),
        h("strong", {}, SOURCES[entry.source]),
        h("span", { class: "mono" }, title(entry)),
        http(entry.status),
        h("span", { class: "soft" }, `${entry.milliseconds} ms`),
        entry.units ? h("span", { class: "soft" }, `${entry.units} units`) : null,
        entry.note ? h("span", { class: "wait" }, entry.note) : null),
      problem(entry),
      entry.write ? [h("p", {}, entry.write.changes.join("; "), "."), rule(entry.write.explanation)] : null,
      raw(entry));
  });
}
