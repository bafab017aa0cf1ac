// Numbers and times for people.

import { language } from "./i18n.js";

/** 83 -> "1:23", 3725 -> "1:02:05". */
export function clock(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const two = (number) => String(number).padStart(2, "0");
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
}

const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

/** "3 minutes ago", in the page's language. Both in epoch milliseconds. */
export function ago(then, now) {
  const seconds = Math.max(0, (now - then) / 1_000);
  const format = new Intl.RelativeTimeFormat(language.value, { numeric: "auto" });
  const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ["second", 1];
  return format.format(unit === "second" ? 0 : -Math.floor(seconds / length), unit);
}

export const dateTime = (when) =>
  new Intl.DateTimeFormat(language.value, { dateStyle: "medium", timeStyle: "short" }).format(new Date(when));

export const timeOfDay = (when) =>
  new Intl.DateTimeFormat(language.value, { timeStyle: "medium" }).format(new Date(when));

/** Stands where a number or a moment is not known, or there is none; nothing at all of what can be counted is 0. */
export const NONE = "–";

/** 12345 -> "12,345", as the page's language writes it, with a true minus. */
export const number = (value) => new Intl.NumberFormat(language.value).format(value).replace("-", "−");

/** The same with its sign, for what changes a balance; 0 has none. */
export const signed = (value) => (value > 0 ? `+${number(value)}` : number(value));

const BROWSERS = [["Edg", "Edge"], ["OPR", "Opera"], ["Firefox", "Firefox"], ["Chrome", "Chrome"], ["Safari", "Safari"]];
const SYSTEMS = [
  ["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["Windows", "Windows"], ["Mac OS X", "macOS"],
  ["Linux", "Linux"],
];

/** "Firefox · Linux" for what a browser says of itself, or the beginning of what something else says. */
export function device(userAgent) {
  const known = (table) => table.find(([mark]) => userAgent.includes(mark))?.[1];
  return [known(BROWSERS), known(SYSTEMS)].filter(Boolean).join(" · ") || userAgent.slice(0, 40);
}
