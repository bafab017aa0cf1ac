// Long lists: filters that stand in the address, and pages that follow each other.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { go, to } from "../router.js";
import { useLoaded } from "../views/loaded.js";

const SETTLE_MS = 350;

/** `load(after)` gives { rows, hasMore }; the next page is asked for with `cursor(row)` of the last row. */
export function usePages(load, cursor, keys) {
  const first = useLoaded(() => load(undefined), keys);
  const [later, setLater] = useState({ of: null, rows: [], hasMore: false });
  // Later pages belong to the first one that they followed.
  const known = later.of === first.value ? later : { rows: [], hasMore: first.value?.hasMore };
  const rows = [...(first.value?.rows ?? []), ...known.rows];
  const more = async () => {
    const page = await load(cursor(rows.at(-1)));
    setLater({ of: first.value, rows: [...known.rows, ...page.rows], hasMore: page.hasMore });
  };
  return { ...first, rows, hasMore: known.hasMore, more };
}

/** Fields by the names in the query of the address; what is chosen is put there, so it can be linked and reloaded. */
export function Filters({ label, address, search, children }) {
  const form = useRef(null);
  const timer = useRef(0);
  // After every drawing: what can be chosen may have come only now.
  useEffect(() => {
    for (const field of form.current.elements) {
      const value = search.get(field.name) ?? "";
      if (field.name && field !== document.activeElement && field.value !== value) field.value = value;
    }
  });
  useEffect(() => () => clearTimeout(timer.current), []);
  const apply = () => {
    clearTimeout(timer.current);
    const said = [...new FormData(form.current)].filter(([, value]) => value.trim());
    go(to(...address, Object.fromEntries(said)), { replace: true });
  };
  const typed = () => {
    clearTimeout(timer.current);
    timer.current = setTimeout(apply, SETTLE_MS);
  };
  const send = (event) => {
    event.preventDefault();
    apply();
  };
  return html`
    <form class="filters" role="search" aria-label=${label} ref=${form} onInput=${typed} onSubmit=${send}>
      ${children}
      ${search.size > 0 && html`<a class="button" href=${to(...address)}>${t("admin.filter.clear")}</a>`}
    </form>
  `;
}

/** A field of a filter; `type` may be "search" or "date". */
export const FilterField = ({ label, name, type = "search", ...more }) => html`
  <label>
    <span>${label}</span>
    <input name=${name} type=${type} autocomplete="off" autocapitalize="none" spellcheck=${false} ...${more} />
  </label>
`;

export const FilterChoice = ({ label, name, options }) => html`
  <label>
    <span>${label}</span>
    <select name=${name}>
      <option value="">${t("admin.filter.any")}</option>
      ${options.map(([value, text]) => html`<option value=${value}>${text}</option>`)}
    </select>
  </label>
`;
