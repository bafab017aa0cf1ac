// One webhook: how it is, trying it out, its secret, changing and deleting it, and what it was told.

import { useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { dateTime } from "../format.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { go, to } from "../router.js";
import { fresh } from "../session.js";
import { session } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Copyable } from "../views/copyable.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { webhooks as api } from "./api.js";
import { Deliveries } from "./deliveries.js";
import { eventText } from "./events.js";
import { Secret } from "./secret.js";
import { WebhookForm } from "./webhookform.js";

/** `made` is what the API said of a new one, with its secret. */
export function Webhook({ id, made }) {
  const webhook = useLoaded(() => api.get(id), [id]);
  const [round, setRound] = useState(0);
  const told = () => {
    setRound(round + 1);
    webhook.again(); // How it fares may have changed with it.
  };
  return html`
    <p><a href=${to("account", "webhooks")}>${t("account.webhooks.all")}</a></p>
    <${Loaded} from=${webhook}>
      ${(about) => html`
        <${Standing} about=${about} made=${made} put=${webhook.put} onTold=${told} />
        <${Deliveries} id=${id} round=${round} onTold=${told} />
        ${session.value.user.role !== "viewer" && html`<${Change} about=${about} put=${webhook.put} />`}
        <${End} about=${about} />
      `}
    <//>
  `;
}

function Standing({ about, made, put, onTold }) {
  const attempt = useAttempt();
  const [secret, setSecret] = useState(made && { title: t("account.webhooks.made"), secret: made.secret });
  const [answer, setAnswer] = useState(null);
  const act = (work) => {
    setAnswer(null);
    return attempt.run(() => fresh(work));
  };
  const turn = async (enabled) => {
    const sure = enabled || (await confirmed({
      title: t("account.webhook.askOffTitle"), text: t("account.webhook.askOffText"), action: t("account.webhook.disable"),
    }));
    if (sure) await act(async () => put(await api.change(about.id, { enabled })));
  };
  const rotate = async () => {
    const sure = await confirmed({
      title: t("account.webhook.askRotateTitle"), text: t("account.webhook.askRotateText"), action: t("account.webhook.rotate"),
    });
    if (!sure) return;
    await act(async () => {
      const { secret: text, ...changed } = await api.rotate(about.id);
      setSecret({ title: t("account.webhook.rotated"), secret: text });
      put(changed);
    });
  };
  const test = () =>
    act(async () => {
      setAnswer(await api.test(about.id));
      onTold();
    });
  const mayChange = session.value.user.role !== "viewer";
  return html`
    <section aria-labelledby="webhook-title">
      <h3 id="webhook-title">${about.description || t("account.webhook.title")}</h3>
      <dl class="described">
        <div><dt>${t("account.webhook.url")}</dt><dd>${about.url}</dd></div>
        <div><dt>${t("account.webhook.events")}</dt><dd>${about.events.map(eventText).join(" · ")}</dd></div>
        ${about.everybody && html`<div><dt>${t("account.webhook.whose")}</dt><dd>${t("account.webhook.everybodys")}</dd></div>`}
        <div><dt>${t("card.id")}</dt><dd><${Copyable} label=${t("card.id")} text=${about.id} /></dd></div>
      </dl>
      <${Health} about=${about} />
      <${Secret} of=${secret} />
      ${mayChange &&
      html`
        <div class="row">
          <button aria-disabled=${attempt.resting} onClick=${test}>${t("account.webhook.test")}</button>
          <button aria-disabled=${attempt.resting} onClick=${() => turn(!about.enabled)}>
            ${about.enabled ? t("account.webhook.disable") : t("account.webhook.enable")}
          </button>
          <button aria-disabled=${attempt.resting} onClick=${rotate}>${t("account.webhook.rotate")}</button>
        </div>
      `}
      <${Problem} attempt=${attempt} text=${problemText} />
      <div role="status">${attempt.busy ? html`<p class="quiet">${t("form.busy")}</p>` : answer && html`<${Answer} ...${answer} />`}</div>
    </section>
  `;
}

function problemText({ code }) {
  if (code === "conflict") return t("account.webhook.notNow");
  return code === "unavailable" ? t("account.webhook.busy") : null;
}

/** Whether it is told, and if not, why. */
function Health({ about }) {
  const { enabled, disabledReason, failingSince, oldSecretUntil } = about;
  return html`
    ${!enabled &&
    html`
      <div class=${disabledReason ? "notice bad" : "notice warn"}>
        <p><strong>${disabledReason ? t("account.webhook.disabledByGateway") : t("account.webhook.disabledByYou")}</strong></p>
        ${disabledReason && html`<p lang="en">${disabledReason}</p>`}
        <p>${t("account.webhook.disabledText")}</p>
      </div>
    `}
    ${enabled && failingSince && html`<p class="notice warn">${t("account.webhook.failingSince", { when: dateTime(failingSince) })}</p>`}
    ${enabled && !failingSince && html`<p class="good">${t("account.webhook.fine")}</p>`}
    ${oldSecretUntil && html`<p class="quiet">${t("account.webhook.oldSecret", { when: dateTime(oldSecretUntil) })}</p>`}
  `;
}

function Answer({ delivered, httpStatus, error, durationMs }) {
  const values = { status: httpStatus, ms: durationMs };
  if (delivered) return html`<p class="good">${t("account.webhook.testGood", values)}</p>`;
  return html`
    <div class="notice bad">
      <p>${httpStatus === null ? t("account.webhook.testNone", values) : t("account.webhook.testBad", values)}</p>
      ${httpStatus === null && html`<p lang="en">${error}</p>`}
    </div>
  `;
}

function Change({ about, put }) {
  const [done, setDone] = useState(false);
  const change = async (wish) => {
    setDone(false);
    // What only administrators have is sent only where it changes.
    const { everybody, ...rest } = wish;
    put(await api.change(about.id, everybody === about.everybody ? rest : wish));
    setDone(true);
  };
  return html`
    <details class="section">
      <summary>${t("account.webhook.change")}</summary>
      <${WebhookForm} key=${about.changedAt} send=${change} action=${t("account.webhook.save")} about=${about} />
      <div role="status">${done && html`<p class="good">${t("account.webhook.saved")}</p>`}</div>
    </details>
  `;
}

function End({ about }) {
  const attempt = useAttempt();
  const end = async () => {
    const sure = await confirmed({
      title: t("account.webhook.askDeleteTitle"), text: t("account.webhook.askDeleteText"), action: t("action.delete"),
    });
    if (!sure) return;
    await attempt.run(async () => {
      await api.remove(about.id);
      go(to("account", "webhooks"), { replace: true });
    });
  };
  return html`
    <div class="row">
      <button aria-disabled=${attempt.resting} onClick=${end}>${t("account.webhook.delete")}</button>
      <${Problem} attempt=${attempt} />
    </div>
  `;
}
