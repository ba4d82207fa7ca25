// Stored payment methods, order events, and the sessions of Amazon Pay.

import { get } from "./api.js";
import { h, json, orderLink, status, table, time } from "./dom.js";

const fold = (key, text, value) =>
  h("details", { "data-key": key }, h("summary", {}, "JSON", h("span", { class: "soft" }, ` of ${text}`)), json(value));

/** A page with a title and a table, or a sentence if there is nothing to list. */
const list = (title, none, caption, heads, rows) =>
  [h("h1", {}, title), rows.length === 0 ? h("p", {}, none) : table(caption, heads, rows)];

export async function storedPaymentMethods() {
  return {
    async show() {
      const { storedPaymentMethods: all } = await get("stored-payment-methods");
      return list("Stored payment methods", "None is stored.", "All shoppers",
        ["Shopper", "storedPaymentMethodId", "Status", "Created", "Disabled", "Item"],
        all.map((it) => [
          it.shopperReference, h("code", {}, it.storedPaymentMethodId), status(it.status),
          time(it.createdAt), time(it.disabledAt),
          fold(`token-${it.storedPaymentMethodId}`, it.storedPaymentMethodId, it.item),
        ]));
    },
  };
}

export async function orderEvents() {
  return {
    async show() {
      const { orderEvents: all } = await get("order-events");
      return list("Order events", "None yet.",
        "The events that a deployment would send to the EventBridge bus, the newest first",
        ["Order", "Changes", "Status", "At", "Event"],
        all.map((it) => {
          const { reference, sequence, changes, status: is, changedAt } = it.detail;
          const changed = changes.join(", ");
          return [
            orderLink(reference), changed, status(is), time(changedAt),
            fold(`event-${reference}-${sequence}`, `${reference}, ${changed}`, it),
          ];
        }));
    },
  };
}

export async function sessions() {
  return {
    async show() {
      const { sessions: all } = await get("sessions");
      return list("Sessions of Amazon Pay", "No session yet.", "The newest first",
        ["Session", "State", "Order", "Amount", "Confirmed", "Expires", "Button"],
        all.map((it) => [
          h("code", {}, it.checkoutSessionId),
          it.reasonCode ? `${it.state} (${it.reasonCode})` : it.state,
          it.reference ? orderLink(it.reference) : "",
          it.amount ?? "", it.confirmed ? "yes" : "no", time(it.expiresAt),
          fold(`session-${it.checkoutSessionId}`, it.checkoutSessionId, it.payload),
        ]));
    },
  };
}
