// The API keys of one person.

import { confirmed } from "../actions.js";
import { dateTime } from "../format.js";
import { fresh } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { Table } from "../views/table.js";
import { people as api } from "./api.js";

const scopeText = (scope) => {
  const name = scope.replace(":", "_");
  return t(`admin.scope.${name}`);
};

export function PersonKeys({ user, onRevoked }) {
  const keys = useLoaded(() => api.keys(user.id), [user.id]);
  const attempt = useAttempt();
  const revoke = async (key) => {
    const texts = {
      title: t("admin.ask.key.title", { name: key.name }),
      text: t("admin.ask.key.text"),
      action: t("admin.ask.key.yes"),
    };
    if (!(await confirmed(texts))) return;
    await attempt.run(() => fresh(() => api.revokeKey(user.id, key.id).then(keys.again).then(onRevoked)));
  };
  const columns = [
    { title: t("admin.name"), cell: ({ name, prefix }) => html`${name} <code class="quiet">${prefix}…</code>` },
    { title: t("admin.scopes"), cell: ({ scopes }) => scopes.map(scopeText).join(" · ") },
    { title: t("admin.people.seen"), cell: ({ lastUsedAt }) => (lastUsedAt ? dateTime(lastUsedAt) : t("admin.never")) },
    { title: t("admin.expires"), cell: ({ expiresAt }) => (expiresAt ? dateTime(expiresAt) : t("admin.neverEnds")) },
    {
      title: t("admin.actions"),
      cell: (key) => html`
        <button aria-label=${t("admin.revokeOf", { name: key.name })} onClick=${() => revoke(key)}>${t("admin.revoke")}</button>
      `,
    },
  ];
  return html`
    <section class="panel" aria-labelledby="keys-title">
      <h3 id="keys-title">${t("admin.person.keys")}</h3>
      <${Problem} attempt=${attempt} />
      <${Loaded} from=${keys}>
        ${(found) =>
          found.keys.length
            ? html`<${Table} caption=${t("admin.person.keys")} columns=${columns} rows=${found.keys} id=${({ id }) => id} />`
            : html`<p class="quiet">${t("admin.person.noKeys")}</p>`}
      <//>
    </section>
  `;
}
