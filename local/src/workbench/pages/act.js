// Actions that need no order: fail a call, set the clock, run the schedule.

import { act, get } from "./api.js";
import { button, field, h, list, say, select } from "./dom.js";

const FAILURES = [
  ["timeOut", "time-out: processed, and not answered in time"],
  ["cutBefore", "cut before it is processed"],
  ["cutAfter", "cut after it was processed"],
  ["error500", "500 from a proxy, not processed"],
  ["transient503", "503, transient, not processed"],
  ["slow", "slow: answered after 3 seconds"],
];

const TIMES = [["15m", "15 minutes"], ["1h", "1 hour"], ["25h", "25 hours"], ["6d", "6 days"]];

export async function actions() {
  const advance = async (by) => {
    const outcome = await act({ action: "advance", by });
    dispatchEvent(new Event("clock"));
    return `It is ${outcome.now} now.`;
  };
  const failing = h("form", { onsubmit: (it) => {
    it.preventDefault();
    const data = new FormData(failing);
    say(act({
      action: "failNext", target: data.get("target"), how: data.get("how"),
      path: data.get("path").trim() || null,
    }));
  } },
  field("Of", select("target", [["adyen", "Adyen"], ["amazonPay", "Amazon Pay"]])),
  field("How", select("how", FAILURES)),
  field("Path ends in", h("input", { name: "path", placeholder: "any, or /payments" })),
  h("button", {}, "Fail the next call"));
  const moving = h("form", { onsubmit: (it) => {
    it.preventDefault();
    say(advance(new FormData(moving).get("by").trim()));
  } },
  field("By", h("input", { name: "by", size: "8", placeholder: "90s, 2h, 6d", required: true })),
  h("button", {}, "Set the clock forward"),
  TIMES.map(([by, text]) => button(text, () => advance(by), `Set the clock forward by ${text}`)));
  const boxes = [
    h("fieldset", {}, h("legend", {}, "The next call"), failing),
    h("fieldset", {}, h("legend", {}, "The clock"),
      h("p", {}, "Tokens, offers, idempotency keys and the schedule follow it. It only goes forward."), moving),
    h("fieldset", {}, h("legend", {}, "The schedule"),
      h("p", {}, "It runs by itself every five minutes."),
      h("div", { class: "buttons" }, button("Run recover", () => act({ action: "recover" })))),
  ];
  return {
    async show() {
      const state = await get("state");
      return [
        h("h1", {}, "Do"),
        boxes,
        h("fieldset", {}, h("legend", {}, "This cargo dev"), list([
          ["API", state.url],
          ["Webhooks", state.webhooksUrl],
          ["Copies of webhooks", state.webhooksTo ?? "none; --webhooks-to sets a URL"],
          ["Adyen", state.adyen],
          ["Amazon Pay", state.amazonPay],
          ["Merchant account", state.merchantAccount],
        ])),
      ];
    },
  };
}
