// My API keys: list, create (shown once), revoke.

import { useEffect, useState } from "../../vendor/hooks.js";
import { keys as api } from "../api.js";
import { dateTime } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { dialog } from "../state.js";
import { Copyable } from "./copyable.js";
import { Modal } from "./modal.js";

export function KeysDialog() {
  const [list, setList] = useState(null);
  const [made, setMade] = useState(null);
  const [problem, setProblem] = useState(null);
  const load = () => api.list().then(({ keys }) => setList(keys));
  const guarded = (work) => {
    setProblem(null);
    return work().catch(setProblem);
  };
  useEffect(() => void guarded(load), []);
  const create = (name) =>
    guarded(async () => {
      setMade(await api.create(name));
      await load();
      return true;
    });
  const revoke = (id) =>
    guarded(async () => {
      await api.revoke(id);
      if (made?.id === id) setMade(null);
      await load();
    });
  return html`
    <${Modal} title=${t("keys.title")} onClose=${() => (dialog.value = null)}>
      <p class="quiet">${t("keys.text")}</p>
      ${made &&
      html`
        <div class="notice" role="status">
          <p><strong>${t("keys.made", { name: made.name })}</strong> ${t("keys.once")}</p>
          <${Copyable} label=${t("keys.key")} text=${made.key} />
        </div>
      `}
      ${problem && html`<p class="problem" role="alert">${errorText(problem)}</p>`}
      ${list === null && !problem && html`<p class="quiet">${t("app.loading")}</p>`}
      ${list?.length === 0 && html`<p class="quiet">${t("keys.none")}</p>`}
      <ul class="keys">
        ${list?.map((key) => html`<${Key} key=${key.id} about=${key} onRevoke=${() => revoke(key.id)} />`)}
      </ul>
      <${NewKey} onCreate=${create} />
    <//>
  `;
}

function Key({ about, onRevoke }) {
  const [asking, setAsking] = useState(false);
  const used = about.lastUsedAt ? t("keys.used", { when: dateTime(about.lastUsedAt) }) : t("keys.unused");
  return html`
    <li>
      <div>
        <strong>${about.name}</strong> <code>${about.prefix}…</code>
        <span class="quiet">${t("keys.created", { when: dateTime(about.createdAt) })} · ${used}</span>
      </div>
      ${asking
        ? html`<button class="danger" onClick=${onRevoke}>${t("keys.revokeNow")}</button>`
        : html`<button onClick=${() => setAsking(true)} aria-label=${t("keys.revokeOf", { name: about.name })}>
            ${t("keys.revoke")}
          </button>`}
    </li>
  `;
}

function NewKey({ onCreate }) {
  const [name, setName] = useState("");
  const [busy, setBusy] = useState(false);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    if (await onCreate(name.trim())) setName("");
    setBusy(false);
  };
  return html`
    <form class="line" onSubmit=${submit}>
      <label>
        <span>${t("keys.name")}</span>
        <input value=${name} onInput=${(event) => setName(event.target.value)} maxlength="100"
          placeholder=${t("keys.namePlaceholder")} autocomplete="off" required />
      </label>
      <button class="primary" disabled=${busy || !name.trim()}>${t("keys.create")}</button>
    </form>
  `;
}
