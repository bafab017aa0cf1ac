// The identities at providers that sign me in.

import { useEffect, useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { auth } from "../api.js";
import { fresh, goToProvider } from "../session.js";
import { dateTime } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { methods } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";

const HERE = "#/account/signin";

export function Identities() {
  const [list, setList] = useState(null);
  const attempt = useAttempt();
  const load = async () => setList((await auth.identities()).identities);
  useEffect(() => void attempt.run(load), []);
  const ways = methods.value?.providers ?? [];
  if (!attempt.error && !list?.length && ways.length === 0) return null;
  const labelOf = (each) => ways.find(({ name }) => name === each.provider)?.label ?? each.issuer;
  const unlink = async (each) => {
    const yes = await confirmed({
      title: t("account.unlink.title", { label: labelOf(each) }),
      text: t("account.unlink.text"),
      action: t("account.unlink.yes"),
    });
    if (yes) await attempt.run(() => fresh(() => auth.unlink(each.id).then(load)));
  };
  const link = (name) => attempt.run(() => fresh(() => goToProvider(name, { next: HERE, link: true })));
  const linked = new Set(list?.map(({ provider }) => provider));
  return html`
    <section aria-labelledby="identities-title">
      <h3 id="identities-title">${t("account.identities.title")}</h3>
      <p class="quiet">${t("account.identities.text")}</p>
      <ul class="keys">
        ${list?.map(
          (each) => html`
            <li key=${each.id}>
              <div>
                <strong>${labelOf(each)}</strong> ${each.email}
                <span class="quiet">${t("account.identities.since", { when: dateTime(each.createdAt) })}</span>
              </div>
              <button onClick=${() => unlink(each)} aria-label=${t("account.identities.unlinkOf", { label: labelOf(each) })}>
                ${t("account.identities.unlink")}
              </button>
            </li>
          `,
        )}
      </ul>
      <${Problem} attempt=${attempt} />
      <div class="providers">
        ${ways
          .filter(({ name }) => list && !linked.has(name))
          .map(
            ({ name, label }) => html`
              <button key=${name} aria-disabled=${attempt.resting} onClick=${() => link(name)}>
                ${t("account.identities.link", { label })}
              </button>
            `,
          )}
      </div>
    </section>
  `;
}
