// Numbers of administrators' lists in the page's language.

import { language, t } from "../i18n.js";

export const figure = (value) => new Intl.NumberFormat(language.value).format(value);

/** With its sign, for what changes a balance. */
export const change = (value) => new Intl.NumberFormat(language.value, { signDisplay: "exceptZero" }).format(value);

/** A limit of a plan, whose name says its unit; 0 is unlimited. */
export const limitText = (value) => (value === 0 ? t("admin.unlimited") : figure(value));

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** 1500000 -> "1.5 MB". */
export function bytes(value) {
  const power = value < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3));
  const style = { style: "unit", unit: UNITS[power], maximumFractionDigits: 1 };
  return new Intl.NumberFormat(language.value, style).format(value / 1000 ** power);
}
