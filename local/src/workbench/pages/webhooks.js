// The deliveries of webhooks, sending them again, and a form for any event.

import { get, post } from "./api.js";
import { button, field, h, http, minorUnits, orderLink, say, select, time } from "./dom.js";
import { SOURCES, problem, raw, signature, title } from "./details.js";

const EVENTS = ["AUTHORISATION", "CAPTURE", "CAPTURE_FAILED", "CANCELLATION", "CANCEL_OR_REFUND",
  "REFUND", "REFUND_FAILED", "REFUNDED_REVERSED", "EXPIRE", "OFFER_CLOSED", "CHARGEBACK",
  "CHARGEBACK_REVERSED", "SECOND_CHARGEBACK", "NOTIFICATION_OF_CHARGEBACK", "PREARBITRATION_WON",
  "PREARBITRATION_LOST", "TECHNICAL_CANCEL", "REPORT_AVAILABLE", "recurring.token.created",
  "recurring.token.updated", "recurring.token.disabled"];

export async function webhooks() {
  const open = location.hash.includes("reference=");
  const form = h("details", { open }, h("summary", {}, "Send any event"), writer());
  return {
    async show() {
      const { deliveries } = await get("webhooks");
      return [
        h("h1", {}, "Webhooks"),
        form,
        deliveries.length === 0 ? h("p", {}, "No webhook yet.") : null,
        h("ol", { class: "timeline" }, deliveries.map(delivery)),
      ];
    },
  };
}

function delivery(it) {
  const again = (how, more = {}) => () => post(`webhooks/${it.id}`, { how, ...more });
  const name = `${title(it)} of ${it.at}`;
  return h("li", { class: it.status === 200 ? "" : "problem" },
    h("div", { class: "head" },
      time(it.at), h("strong", {}, SOURCES[it.source]), h("span", { class: "mono" }, title(it)),
      http(it.status), h("span", { class: "soft" }, `${it.milliseconds} ms`),
      it.references.map((reference) => orderLink(reference))),
    problem(it),
    it.note ? h("p", { class: "bad" }, it.note) : null,
    it.signature ? signature(it.signature) : null,
    h("div", { class: "buttons" },
      button("Send again", again("again"), `Send again: ${name}`),
      button("Send twice", again("twice"), `Send twice: ${name}`),
      button("Send in 10 seconds", again("late", { seconds: 10 }), `Send in 10 seconds: ${name}`),
      button("Tamper", again("tampered"), `Tamper: ${name}`),
      button("Wrong key", again("wrongKey"), `Wrong key: ${name}`)),
    raw(it));
}

function writer() {
  const query = new URLSearchParams(location.hash.split("?")[1]);
  const text = (name, value = "") => h("input", { name, value });
  const form = h("form", { onsubmit: (it) => {
    it.preventDefault();
    say(send(new FormData(form)));
  } },
  field("Event", h("input", { name: "event", list: "events", value: "AUTHORISATION", required: true })),
  h("datalist", { id: "events" }, EVENTS.map((event) => h("option", { value: event }))),
  field("Order or merchantReference", text("reference", query.get("reference") ?? "")),
  field("success", select("success", [["true"], ["false"]])),
  field("Currency", h("input", { name: "currency", size: "4", maxlength: "3", placeholder: "order's" })),
  field("Minor units", h("input", { name: "value", inputmode: "numeric", size: "8", placeholder: "order's" })),
  field("pspReference", h("input", { name: "pspReference", placeholder: "the order's or a new one" })),
  field("originalReference", h("input", { name: "originalReference", placeholder: "the order's payment" })),
  field("Reason", text("reason")),
  field("modification.action", select("action", [["", "none"], ["cancel"], ["refund"]])),
  field("shopperReference", text("shopperReference")),
  field("storedPaymentMethodId", text("storedPaymentMethodId")),
  field("Times", h("input", { name: "times", type: "number", min: "1", max: "10", value: "1" })),
  field("In seconds", h("input", { name: "seconds", type: "number", min: "0", max: "3600", value: "0" })),
  h("label", { class: "check" }, h("input", { type: "checkbox", name: "live" }), "of the live environment"),
  h("label", { class: "check" }, h("input", { type: "checkbox", name: "wrongSignature" }), "with a wrong signature"),
  h("button", {}, "Sign and send"));
  return form;
}

async function send(data) {
  const filled = (name) => data.get(name)?.trim() || null;
  return post("webhooks", {
    event: filled("event") ?? "",
    reference: filled("reference") ?? "",
    success: data.get("success") === "true",
    amount: { currency: filled("currency")?.toUpperCase() ?? null, value: minorUnits(data.get("value")) },
    pspReference: filled("pspReference"),
    originalReference: filled("originalReference"),
    reason: filled("reason"),
    action: filled("action"),
    shopperReference: filled("shopperReference") ?? "",
    storedPaymentMethodId: filled("storedPaymentMethodId") ?? "",
    times: Number(data.get("times")),
    seconds: Number(data.get("seconds")),
    live: data.has("live"),
    wrongSignature: data.has("wrongSignature"),
  });
}
