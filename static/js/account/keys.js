// My API keys: list, create (shown once), revoke.

import { useEffect, useState } from "../../vendor/hooks.js";
import { keys as api } from "../api.js";
import { dateTime } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { fresh } from "../session.js";
import { halfMinute, session } from "../state.js";
import { Problem, Submit, useAttempt } from "../views/attempt.js";
import { Copyable } from "../views/copyable.js";
import { useMending } from "../views/fields.js";

const DAY = 86_400;
const LIFETIMES = [30, 90, 365];
const SCOPES = ["videos:read", "videos:write", "account", "admin"];
/** Keys that are drawn at once; more when asked for. */
const SHOWN = 20;
const USUAL = new Set(["videos:read", "videos:write"]);

export function Keys() {
  const [list, setList] = useState(null);
  const [made, setMade] = useState(null);
  const [shown, setShown] = useState(SHOWN);
  const attempt = useAttempt();
  const load = async () => setList((await api.list()).keys);
  useEffect(() => void attempt.run(load), []);
  const revoke = (id) =>
    attempt.run(async () => {
      await api.revoke(id);
      if (made?.id === id) setMade(null);
      await load();
    });
  const onMade = (key) => {
    setMade(key);
    return attempt.run(load);
  };
  return html`
    <section aria-labelledby="keys-title">
      <h3 id="keys-title">${t("account.keys.title")}</h3>
      <p class="quiet">${t("account.keys.text")}</p>
      ${list === null && !attempt.error && html`<p class="quiet">${t("app.loading")}</p>`}
      ${list?.length === 0 && html`<p class="quiet">${t("account.keys.none")}</p>`}
      <ul class="keys">
        ${list?.slice(0, shown).map((key) => html`<${Key} key=${key.id} about=${key} onRevoke=${() => revoke(key.id)} />`)}
      </ul>
      ${list?.length > shown &&
      html`<p><button onClick=${() => setShown(shown + SHOWN)}>${t("account.keys.more", { count: list.length - shown })}</button></p>`}
      <${Problem} attempt=${attempt} />
      <div role="status">
        ${made &&
        html`
          <div class="notice">
            <p><strong>${t("account.keys.made", { name: made.name })}</strong> ${t("account.keys.once")}</p>
            <${Copyable} label=${t("account.keys.key")} text=${made.key} />
          </div>
        `}
      </div>
      <${NewKey} onMade=${onMade} />
    </section>
  `;
}

const scopeText = (scope) => {
  const name = scope.replace(":", "_");
  return t(`account.scope.${name}`);
};

function Key({ about, onRevoke }) {
  const [asking, setAsking] = useState(false);
  const used = about.lastUsedAt ? t("account.keys.used", { when: dateTime(about.lastUsedAt) }) : t("account.keys.unused");
  return html`
    <li>
      <div>
        <strong>${about.name}</strong> <code>${about.prefix}…</code>
        <span class="quiet">${about.scopes.map(scopeText).join(" · ")}</span>
        <span class="quiet">
          ${t("account.keys.created", { when: dateTime(about.createdAt) })} · ${used} · <${Expiry} at=${about.expiresAt} />
        </span>
      </div>
      ${asking
        ? html`<button class="danger" autofocus onClick=${onRevoke}>${t("account.keys.revokeNow")}</button>`
        : html`<button onClick=${() => setAsking(true)} aria-label=${t("account.keys.revokeOf", { name: about.name })}>
            ${t("account.keys.revoke")}
          </button>`}
    </li>
  `;
}

function Expiry({ at }) {
  if (!at) return t("account.keys.endless");
  const over = Date.parse(at) <= halfMinute.value;
  return over
    ? html`<strong class="problem">${t("account.keys.expired", { when: dateTime(at) })}</strong>`
    : t("account.keys.expires", { when: dateTime(at) });
}

function NewKey({ onMade }) {
  const attempt = useAttempt();
  const fields = useMending(attempt.error);
  const offered = SCOPES.filter((scope) => scope !== "admin" || session.value.user.role === "admin");
  const submit = async (event) => {
    event.preventDefault();
    const form = event.target;
    const given = new FormData(form);
    const name = given.get("name").trim();
    const scopes = given.getAll("scope");
    if (!name) return attempt.fail({ field: "name", key: "account.keys.nameMissing" });
    if (scopes.length === 0) return attempt.fail({ field: "scope", key: "account.keys.scopeMissing" });
    const days = Number(given.get("days"));
    const wish = { name, scopes, ...(days && { expiresIn: days * DAY }) };
    const made = await attempt.run(() => fresh(() => api.create(wish)));
    if (!made) return undefined;
    form.reset();
    return onMade(made);
  };
  return html`
    <form class="fields newkey" ref=${fields} onSubmit=${submit} novalidate aria-busy=${attempt.busy}>
      <label class="field">
        <span>${t("account.keys.name")}</span>
        <input name="name" maxlength="100" placeholder=${t("account.keys.namePlaceholder")} autocomplete="off" />
      </label>
      <fieldset class="field">
        <legend>${t("account.keys.scopes")}</legend>
        ${offered.map(
          (scope) => html`
            <label class="tick" key=${scope}>
              <input type="checkbox" name="scope" value=${scope} defaultChecked=${USUAL.has(scope)} />
              <span>${scopeText(scope)} <code class="quiet">${scope}</code></span>
            </label>
          `,
        )}
      </fieldset>
      <label class="field">
        <span>${t("account.keys.lifetime")}</span>
        <select name="days">
          <option value="">${t("account.keys.endless")}</option>
          ${LIFETIMES.map((days) => html`<option value=${days}>${t("account.keys.days", { days })}</option>`)}
        </select>
      </label>
      <${Problem} attempt=${attempt} />
      <${Submit} attempt=${attempt}>${t("account.keys.create")}<//>
    </form>
  `;
}
