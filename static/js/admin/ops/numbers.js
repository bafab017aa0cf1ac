// Numbers of these tabs in the page's language.

import { NONE, number } from "../../format.js";
import { language, t } from "../../i18n.js";

export const count = number;
export const money = (value) => new Intl.NumberFormat(language.value, { maximumFractionDigits: 2 }).format(value);

/** Completed among those that completed or failed, as "95 %"; a dash without any. */
export function rate({ completed, failed }) {
  if (completed + failed === 0) return NONE;
  return percent(completed / (completed + failed));
}

/** 0.1 -> "10 %". */
export const percent = (share) => new Intl.NumberFormat(language.value, { style: "percent", maximumFractionDigits: 1 }).format(share);

/** 83.2 -> "1 min 23 s"; a dash for null. */
export function duration(seconds) {
  if (seconds === null || seconds === undefined) return NONE;
  const whole = Math.round(seconds);
  if (seconds < 10) return t("ops.seconds", { s: new Intl.NumberFormat(language.value, { maximumFractionDigits: 1 }).format(seconds) });
  if (whole < 60) return t("ops.seconds", { s: whole });
  if (whole < 3_600) return t("ops.minutes", { m: Math.floor(whole / 60), s: whole % 60 });
  return t("ops.hours", { h: Math.floor(whole / 3_600), m: Math.floor(whole / 60) % 60 });
}
