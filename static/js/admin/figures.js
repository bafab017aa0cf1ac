// Numbers of administrators' lists in the page's language.

import { language, t } from "../i18n.js";

export const figure = (value) => new Intl.NumberFormat(language.value).format(value);

/** With its sign, for what changes a balance. */
export const change = (value) => new Intl.NumberFormat(language.value, { signDisplay: "exceptZero" }).format(value);

/** A limit of a plan, whose name says its unit; 0 is unlimited. */
export const limitText = (value) => (value === 0 ? t("admin.unlimited") : figure(value));
