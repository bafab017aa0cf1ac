// The page's own words. Texts live in ../i18n/<language>/<area>.json; both languages have the same files and keys. The
// keys of an area but "base" begin with its name, and are loaded with its screen.

import { signal } from "../vendor/signals.js";

export const LANGUAGES = { en: "English", "zh-CN": "简体中文" };
const CHOICE = "sora-gateway.language";

export const language = signal("en");
const texts = signal({});

/** Loads the language chosen before, or the first one the browser asks for that we have. */
export const startLanguage = () => load(localStorage.getItem(CHOICE) ?? preferred());

export async function chooseLanguage(name) {
  await load(name);
  localStorage.setItem(CHOICE, name);
}

function preferred() {
  for (const wanted of navigator.languages ?? []) {
    if (wanted.toLowerCase().startsWith("zh")) return "zh-CN";
    if (wanted.toLowerCase().startsWith("en")) return "en";
  }
  return "en";
}

const areas = new Set(["base"]);

async function load(name) {
  const known = name in LANGUAGES ? name : "en";
  texts.value = Object.assign({}, ...(await Promise.all([...areas].map((area) => textsOf(known, area)))));
  language.value = known;
  document.documentElement.lang = known;
  document.title = t("app.name");
}

/** The words of one more part of the page, in the language of now and in those that are chosen later. */
export async function loadTexts(area) {
  if (areas.has(area)) return;
  const more = await textsOf(language.peek(), area);
  areas.add(area);
  texts.value = { ...texts.peek(), ...more };
}

async function textsOf(name, area) {
  const response = await fetch(new URL(`../i18n/${name}/${area}.json`, import.meta.url));
  if (!response.ok) throw new Error(`HTTP ${response.status}`);
  return response.json();
}

/** The text of `key` with `{name}`s filled in. A missing key shows itself. */
export function t(key, values = {}) {
  return (texts.value[key] ?? key).replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}

/** An error in the reader's language by its code; a code without a text keeps the server's own sentence. */
export function errorText(error) {
  return texts.value[`error.${error.code}`] ?? error.message ?? t("error.unexpected");
}

/** An error of which only the code is known, and maybe not even that: a key of the texts. */
export const errorKey = (code) => (texts.value[`error.${code}`] ? `error.${code}` : "error.unexpected");
