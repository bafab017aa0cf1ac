// How large a file is, in the page's language.

import { language } from "../i18n.js";

const UNITS = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];

/** 2400000 -> "2.4 MB". */
export function sizeText(bytes) {
  const step = Math.min(UNITS.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  const format = {
    style: "unit",
    unit: UNITS[step],
    unitDisplay: step ? "short" : "long", // a short byte has no plural
    maximumFractionDigits: step > 1 ? 1 : 0,
  };
  return new Intl.NumberFormat(language.value, format).format(bytes / 1000 ** step);
}
