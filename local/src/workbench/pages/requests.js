// The calls of the API, of Adyen, of Amazon Pay and of DynamoDB.

import { get } from "./api.js";
import { field, h, http, link, orderLink, select, table, time } from "./dom.js";
import { SOURCES, problem, title } from "./details.js";

export async function requests(query) {
  const source = query.get("source") ?? "";
  const choice = select("source",
    [["", "all"], ["api", "API"], ["adyen", "Adyen"], ["amazonPay", "Amazon Pay"], ["dynamodb", "DynamoDB"]], source);
  choice.addEventListener("change", () => {
    location.hash = choice.value ? `#/requests?source=${choice.value}` : "#/requests";
  });
  const form = h("form", { onsubmit: (it) => it.preventDefault() },
    field("Source", choice));
  return {
    async show() {
      const { entries } = await get(`requests?source=${encodeURIComponent(source)}`);
      return [
        h("h1", {}, "Requests"),
        form,
        entries.length === 0 ? h("p", {}, "No request yet.")
          : table("The newest first", ["At", "Source", "Request", "Answer", "#Took", "#Units", "Order"],
            entries.map((it) => [
              time(it.at),
              [SOURCES[it.source], it.function ? h("span", { class: "soft" }, ` of ${it.function}`) : null],
              [link(`entries/${it.id}`, title(it)), problem(it), it.note ? h("p", { class: "wait" }, it.note) : null],
              http(it.status),
              `${it.milliseconds} ms`,
              it.units ?? "",
              it.references.map((reference) => [orderLink(reference), " "]),
            ])),
      ];
    },
  };
}
