// Chooses the page, and shows it again whenever something happens.

import { get } from "./api.js";
import { h } from "./dom.js";
import { orders } from "./orders.js";
import { order } from "./order.js";
import { webhooks } from "./webhooks.js";
import { requests } from "./requests.js";
import { entry } from "./details.js";
import { storedPaymentMethods, orderEvents, sessions } from "./lists.js";
import { actions } from "./act.js";

const PAGES = {
  orders: (rest, query) => (rest ? order(rest) : orders(query)),
  webhooks: () => webhooks(),
  requests: (_, query) => requests(query),
  entries: (id) => entry(id),
  "stored-payment-methods": storedPaymentMethods,
  "order-events": orderEvents,
  sessions,
  do: actions,
};

const main = document.getElementById("main");
let shown = null;
let page = null;

/** The page of the address: `#/orders/ORDER-1` or `#/orders?search=X`. */
function route() {
  const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
  const [name, ...rest] = path.split("/");
  const known = Object.hasOwn(PAGES, name) ? name : "orders";
  return { name: known, rest: decoded(rest.join("/")), query: new URLSearchParams(query) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function open() {
  const address = location.hash;
  const { name, rest, query } = route();
  for (const item of document.querySelectorAll("nav a")) {
    const current = item.getAttribute("href") === `#/${name}`;
    if (current) item.setAttribute("aria-current", "page");
    else item.removeAttribute("aria-current");
  }
  const isNew = address !== shown;
  try {
    if (isNew) page = await PAGES[name](rest, query);
    const content = await page.show();
    if (address !== location.hash) return;
    replace(content);
  } catch (error) {
    page = null;
    main.replaceChildren(h("h1", {}, "Nothing to show"), h("p", {}, error.message));
  }
  shown = page ? address : null;
  document.title = `${main.querySelector("h1").textContent} – Workbench`;
  if (isNew) {
    scrollTo(0, 0);
    if (open.again) main.focus({ preventScroll: true });
    open.again = true;
  }
}

/** Replaces the content. An element that the page returns again, such as a form, stays in place untouched. */
function replace(content) {
  const next = content.flat(Infinity).filter((it) => it);
  const focused = place(document.activeElement);
  for (const old of main.querySelectorAll("details[data-key][open]")) {
    const key = CSS.escape(old.dataset.key);
    const fresh = next.flatMap((it) => [...(it.querySelectorAll?.(`details[data-key="${key}"]`) ?? [])])[0]
      ?? next.find((it) => it.dataset?.key === old.dataset.key);
    if (!fresh || fresh === old) continue;
    // Recorded entries never change.
    if (old.dataset.keep !== undefined) fresh.replaceWith(old);
    else fresh.open = true;
  }
  for (const old of [...main.childNodes]) {
    if (!next.includes(old)) old.remove();
  }
  let cursor = main.firstChild;
  for (const node of next) {
    if (node === cursor) cursor = cursor.nextSibling;
    else main.insertBefore(node, cursor);
  }
  if (focused) restore(focused);
}

const FOCUSABLE = "a, button, input, select, summary, [tabindex]";

/** Where the focus is: the element itself, and its position among those with the same text. */
function place(element) {
  if (!main.contains(element) || element === main) return null;
  const alike = [...main.querySelectorAll(FOCUSABLE)].filter((it) => name(it) === name(element));
  return { element, name: name(element), at: alike.indexOf(element) };
}

const name = (it) => `${it.tagName} ${it.getAttribute("aria-label") ?? ""} ${it.getAttribute("href") ?? ""} ${it.textContent.slice(0, 80)}`;

function restore({ element, name: wanted, at }) {
  if (document.activeElement === element) return;
  if (main.contains(element)) {
    element.focus({ preventScroll: true });
    return;
  }
  const alike = [...main.querySelectorAll(FOCUSABLE)].filter((it) => name(it) === wanted);
  alike[at]?.focus({ preventScroll: true });
}

let waiting = null;
let opening = Promise.resolve();

function later() {
  waiting ??= setTimeout(() => {
    waiting = null;
    opening = opening.then(open);
  }, 150);
}

const live = document.getElementById("live");

function listen() {
  const news = new EventSource("/workbench/api/live");
  news.onopen = () => { live.textContent = "live"; later(); clock(); };
  news.onmessage = later;
  news.onerror = () => { live.textContent = "not connected"; };
}

let ahead = 0;

export async function clock() {
  const state = await get("state");
  ahead = new Date(state.now) - Date.now();
  tick();
}

function tick() {
  const now = new Date(Date.now() + ahead);
  const shift = Math.round(ahead / 1000);
  const text = now.toISOString().replace("T", " ").slice(0, 19);
  const moved = shift > 60 ? `, ${duration(shift)} ahead` : "";
  const element = document.getElementById("now");
  element.textContent = `${text} UTC${moved}`;
  element.setAttribute("datetime", now.toISOString());
}

function duration(seconds) {
  const days = Math.floor(seconds / 86400);
  const hours = Math.floor((seconds % 86400) / 3600);
  const minutes = Math.round((seconds % 3600) / 60);
  return [[days, "d"], [hours, "h"], [minutes, "min"]]
    .filter(([count]) => count > 0).map(([count, unit]) => `${count} ${unit}`).join(" ");
}

addEventListener("hashchange", () => { opening = opening.then(open); });
addEventListener("clock", () => { clock(); later(); });
addEventListener("changed", later);
opening = open();
listen();
clock();
setInterval(tick, 1000);
