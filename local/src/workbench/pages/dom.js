// Elements, and the ways in which values are shown.

/** Makes an element. Strings become text, so nothing that is shown is ever read as HTML. */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(3).filter((it) => it !== null && it !== undefined && it !== false));
  return element;
}

export const link = (path, ...text) => h("a", { href: `#/${path}` }, ...text);

export const orderLink = (reference) => link(`orders/${encodeURIComponent(reference)}`, reference);

// The currencies whose minor units at Adyen do not have two decimals.
const DECIMALS = Object.fromEntries([
  [0, "BIF CVE DJF GNF IDR JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"],
  [3, "BHD IQD JOD KWD LYD OMR TND"], [4, "CLF UYW"],
].flatMap(([decimals, currencies]) => currencies.split(" ").map((currency) => [currency, decimals])));

/** An amount of minor units as people write it. */
export function money(amount) {
  if (!amount) return "";
  const { currency, value } = amount;
  const digits = DECIMALS[currency] ?? 2;
  const format = { style: "currency", currency, minimumFractionDigits: digits, maximumFractionDigits: digits };
  return new Intl.NumberFormat("en", format).format(value / 10 ** digits);
}

/** The number in a field of minor units, or null if the field is empty. */
export function minorUnits(text) {
  const value = text.trim();
  if (!value) return null;
  if (!/^\d+$/.test(value)) throw new Error("Minor units are a whole number: EUR 10.00 is 1000.");
  return Number(value);
}

export function time(text) {
  if (!text) return "";
  const at = new Date(text);
  const shown = at.toISOString().replace("T", " ").slice(0, 23);
  return h("time", { datetime: at.toISOString(), class: "mono" }, shown);
}

const TONES = {
  authorised: "good", captured: "good", active: "good",
  pending: "wait", created: "wait", expired: "wait",
  refused: "bad", error: "bad", chargedBack: "bad", disabled: "bad",
};

export const status = (name) => h("span", { class: `status ${TONES[name] ?? ""}` }, name);

/** The status of an HTTP answer. */
export function http(code) {
  if (code === null || code === undefined) return h("span", { class: "status bad" }, "no answer");
  return h("span", { class: `status ${code < 400 ? "good" : "bad"}` }, `HTTP ${code}`);
}

/** A table in a frame that scrolls on a narrow screen. */
export function table(caption, heads, rows) {
  const head = (it) => h("th", { scope: "col", class: it.startsWith("#") ? "number" : null }, it.replace(/^#/, ""));
  const cell = (it, at) => h("td", { class: heads[at].startsWith("#") ? "number" : null }, it ?? "");
  return h("div", { class: "wide", tabindex: "0", role: "group", "aria-label": caption },
    h("table", {},
      h("caption", {}, caption),
      h("thead", {}, h("tr", {}, heads.map(head))),
      h("tbody", {}, rows.map((row) => h("tr", {}, row.map(cell))))));
}

export function list(pairs) {
  const shown = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return h("dl", {}, shown.map(([name, value]) => [h("dt", {}, name), h("dd", {}, value)]));
}

export function json(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 2);
  return h("pre", { tabindex: "0" }, text);
}

/** A button that does something and says what came of it. */
export function button(text, act, label) {
  return h("button", { type: "button", onclick: () => say(act()), "aria-label": label }, text);
}

/** Shows the outcome of something in the corner of the page. */
export async function say(promise) {
  const message = document.getElementById("message");
  try {
    const outcome = await promise;
    message.textContent = typeof outcome === "string" ? outcome : JSON.stringify(outcome);
  } catch (error) {
    message.textContent = error.message;
  }
  clearTimeout(say.timer);
  say.timer = setTimeout(() => { message.textContent = ""; }, 8000);
}

/** A labelled field. */
export function field(text, control) {
  return h("label", {}, text, control);
}

export function select(name, options, chosen) {
  return h("select", { name }, options.map(([value, text]) =>
    h("option", { value, selected: value === chosen }, text ?? value)));
}
