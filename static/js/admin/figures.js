// Numbers of administrators' lists in the page's language.

import { number } from "../format.js";
import { t } from "../i18n.js";

export const figure = number;

/** A limit of a plan, whose name says its unit; 0 is unlimited. */
export const limitText = (value) => (value === 0 ? t("admin.unlimited") : figure(value));
