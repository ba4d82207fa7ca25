// The list of orders.

import { get } from "./api.js";
import { field, h, money, orderLink, status, table, time } from "./dom.js";

export async function orders(query) {
  const input = h("input", { type: "search", name: "search", value: query.get("search") ?? "" });
  const form = h("form", { role: "search", onsubmit: (it) => {
    it.preventDefault();
    const search = input.value.trim();
    location.hash = search ? `#/orders?search=${encodeURIComponent(search)}` : "#/orders";
  } }, field("Reference or pspReference", input), h("button", {}, "Search"));
  return {
    async show() {
      const search = query.get("search") ?? "";
      const { found, orders: all } = await get(`orders?search=${encodeURIComponent(search)}`);
      const rows = all.map((order) => [
        orderLink(order.reference),
        [status(order.status), order.confirmed ? " confirmed" : ""],
        money(order.amount),
        order.needsAttention.length > 0
          ? h("span", { class: "bad" }, order.needsAttention.join(", ")) : "",
        `rule ${order.rule.number}: ${order.rule.text}`,
        time(order.updatedAt),
      ]);
      return [
        h("h1", {}, "Orders"),
        form,
        all.length === 0
          ? h("p", {}, search ? "No order fits." : ["No order yet. Pay one on the ", h("a", { href: "/" }, "storefront"), "."])
          : table(count(all.length, found),
            ["Order", "Status", "#Amount", "Needs attention", "Why", "Changed"], rows),
      ];
    },
  };
}

function count(shown, found) {
  if (shown < found) return `The ${shown} newest of ${found} orders`;
  return found === 1 ? "1 order" : `${found} orders`;
}
