// What narrows the gallery: a search, whose videos, how far they are, and more on demand. Everything goes into the address.

import { useEffect, useRef, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { session } from "../state.js";
import { videos } from "../video/api.js";
import { Icon } from "../views/icons.js";
import { useLoaded } from "../views/loaded.js";
import { SCOPES, STATUSES, isNarrowed } from "./filters.js";

const TYPED_MS = 350;

/** `onChange(filters, { replace })` goes to what they say. */
export function FilterBar({ filters, onChange }) {
  const [open, setOpen] = useState(() => Boolean(filters.model.length || filters.owner || filters.tag.length || filters.since || filters.until));
  const change = (part, how) => onChange({ ...filters, ...part }, how);
  return html`
    <form class="narrowing" role="search" aria-label=${t("gallery.filters")} onSubmit=${(event) => event.preventDefault()}>
      <div class="line">
        <${Search} q=${filters.q} onChange=${(q) => change({ q }, { replace: true })} />
        <${Choice} label=${t("gallery.whose")} value=${filters.scope} onChange=${(scope) => change({ scope, owner: "" })}
          options=${SCOPES.filter((scope) => scope !== "mine" || session.value.user?.role !== "viewer").map((scope) => [scope, scopeText(scope)])} />
        <${Choice} label=${t("gallery.status")} value=${filters.status[0] ?? ""}
          onChange=${(status) => change({ status: status ? [status] : [] })}
          options=${[["", t("gallery.anyStatus")], ...STATUSES.map((status) => [status, t(`gallery.status.${status}`)])]} />
        <button type="button" class="wider" aria-expanded=${open} aria-controls="more-filters" onClick=${() => setOpen(!open)}>
          ${t("gallery.moreFilters")}
        </button>
      </div>
      <div class="line" id="more-filters" hidden=${!open}>
        ${open && html`<${Facets} filters=${filters} change=${change} />`}
        <label class="choice">
          <span>${t("gallery.since")}</span>
          <input type="date" autocomplete="off" value=${filters.since} max=${filters.until || undefined}
            onChange=${({ target }) => change({ since: target.value })} />
        </label>
        <label class="choice">
          <span>${t("gallery.until")}</span>
          <input type="date" autocomplete="off" value=${filters.until} min=${filters.since || undefined}
            onChange=${({ target }) => change({ until: target.value })} />
        </label>
      </div>
      ${isNarrowed(filters) &&
      html`<button type="button" class="link" onClick=${() => change({ status: [], model: [], tag: [], owner: "", q: "", since: "", until: "" })}>
        ${t("gallery.clear")}
      </button>`}
    </form>
  `;
}

/** "visible" is everybody's for administrators, and for the others their own and the team's. */
const scopeText = (scope) =>
  scope === "visible" ? t(session.value.user?.role === "admin" ? "gallery.scope.everybody" : "gallery.scope.visible") : t(`gallery.scope.${scope}`);

const Choice = ({ label, value, options, onChange }) => html`
  <label class="choice">
    <span>${label}</span>
    <select value=${value} onChange=${({ target }) => onChange(target.value)}>
      ${options.map(([name, text]) => html`<option key=${name} value=${name} selected=${name === value}>${text}</option>`)}
    </select>
  </label>
`;

/** Searches while somebody types, and tells each pause as one address. */
function Search({ q, onChange }) {
  const [text, setText] = useState(q);
  const timer = useRef(0);
  const told = useRef(q);
  useEffect(() => {
    if (q !== told.current) setText(q); // The address changed by itself: back, a link, or "show all".
    told.current = q;
  }, [q]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const type = ({ target }) => {
    setText(target.value);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => onChange((told.current = target.value.trim())), TYPED_MS);
  };
  return html`
    <label class="search">
      <span class="visually-hidden">${t("gallery.search")}</span>
      <${Icon} name="search" />
      <input type="search" autocomplete="off" maxlength="200" placeholder=${t("gallery.search")} value=${text} onInput=${type} />
    </label>
  `;
}

/** What there is to choose from, with how many videos have it. What the address names and nobody has any more stays
 *  in the list, so that it can be taken away. */
function Facets({ filters, change }) {
  const facets = useLoaded(() => videos.facets(filters.scope), [filters.scope]);
  const { models = [], tags = [], people = [] } = facets.value ?? {};
  const counted = (name, videos) => t("gallery.counted", { name, videos });
  const options = (found, chosen, any) => [
    ["", any],
    ...found,
    ...(chosen && !found.some(([value]) => value === chosen) ? [[chosen, chosen]] : []),
  ];
  return html`
    <${Choice} label=${t("gallery.model")} value=${filters.model[0] ?? ""} onChange=${(model) => change({ model: model ? [model] : [] })}
      options=${options(models.map(({ model, videos }) => [model, counted(model, videos)]), filters.model[0], t("gallery.anyModel"))} />
    ${filters.scope !== "mine" &&
    html`<${Choice} label=${t("gallery.person")} value=${filters.owner} onChange=${(owner) => change({ owner })}
      options=${options(people.map(({ id, email, videos }) => [id, counted(email, videos)]), filters.owner, t("gallery.anyPerson"))} />`}
    <${Choice} label=${t("gallery.tag")} value=${filters.tag[0] ?? ""} onChange=${(tag) => change({ tag: tag ? [tag] : [] })}
      options=${options(tags.map(({ tag, videos }) => [tag, counted(tag, videos)]), filters.tag[0], t("gallery.anyTag"))} />
  `;
}
