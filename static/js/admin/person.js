// One of the people: what they may do and have, and what can be done about it.

import { useState } from "../../vendor/hooks.js";
import { announcement, session } from "../state.js";
import { confirmed } from "../actions.js";
import { dateTime } from "../format.js";
import { fresh } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { to } from "../router.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Copyable } from "../views/copyable.js";
import { Loaded, useLoaded } from "../views/loaded.js";
import { people as api } from "./api.js";
import { figure } from "./figures.js";
import { Giving } from "./giving.js";
import { Once } from "./once.js";
import { PlanSheet } from "./plansheet.js";
import { PersonKeys } from "./personkeys.js";
import { PersonUsage } from "./personusage.js";
import { RoleChoice, saidOf, Sheet } from "./sheet.js";

const LAST = { conflict: "admin.person.lastAdmin" };

export function Person({ id }) {
  const person = useLoaded(() => api.get(id), [id]);
  return html`
    <p><a href=${to("admin", "people")}>← ${t("admin.tab.people")}</a></p>
    <${Loaded} from=${person}>${(user) => html`<${Known} user=${user} put=${person.put} again=${person.again} />`}<//>
  `;
}

function Known({ user, put, again }) {
  const [open, setOpen] = useState(null);
  const close = () => setOpen(null);
  return html`
    <section class="panel" aria-labelledby="person-title">
      <div class="bar-of">
        <div>
          <h3 id="person-title" class="big">${user.email}</h3>
          <p>
            ${t(`role.${user.role}`)}
            ${user.disabledAt &&
            html` <span class="badge bad">${t("admin.person.disabledSince", { when: dateTime(user.disabledAt) })}</span>`}
          </p>
        </div>
        <${Copyable} label=${t("admin.person.id")} text=${user.id} />
      </div>
      <${Facts} user=${user} />
      <p class="actions">
        <button onClick=${() => setOpen("credits")}>${t("admin.credits.give")}</button>
        <button onClick=${() => setOpen("plan")}>${t("admin.person.changePlan")}</button>
        <button onClick=${() => setOpen("role")}>${t("admin.person.changeRole")}</button>
      </p>
      <${Doors} user=${user} put=${put} again=${again} />
    </section>
    <${PersonUsage} user=${user} />
    <${PersonKeys} user=${user} onRevoked=${again} />
    ${open === "credits" && html`<${Giving} whom=${[user.email]} onDone=${again} onClose=${close} />`}
    ${open === "plan" && html`<${PlanSheet} user=${user} onDone=${again} onClose=${close} />`}
    ${open === "role" && html`<${Role} user=${user} onDone=${put} onClose=${close} />`}
  `;
}

function Facts({ user }) {
  const ways = [
    user.hasPassword && t("admin.person.password"),
    user.identities > 0 && t("admin.person.identities", { count: user.identities }),
  ].filter(Boolean);
  const facts = [
    [t("admin.available"), figure(user.available)],
    [t("admin.held"), figure(user.held)],
    [t("admin.plan"), user.planUntil ? t("admin.person.planUntil", { plan: user.plan, when: dateTime(user.planUntil) }) : user.plan],
    [t("admin.person.ways"), ways.join(" · ") || t("admin.person.noWay")],
    [t("admin.person.sessions"), figure(user.sessions)],
    [t("admin.person.keys"), figure(user.keys)],
    [t("admin.person.since"), dateTime(user.createdAt)],
    [t("admin.people.seen"), user.lastSeenAt ? dateTime(user.lastSeenAt) : t("admin.never")],
  ];
  return html`
    <dl class="person-facts">
      ${facts.map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
    </dl>
    <p class="actions">
      <a class="button" href=${to("gallery", { owner: user.id })}>${t("admin.person.videos")}</a>
      <a class="button" href=${to("admin", "credits", { email: user.email })}>${t("admin.person.ledger")}</a>
      <a class="button" href=${to("admin", "audit", { actor: user.id })}>${t("admin.person.did")}</a>
      <a class="button" href=${to("admin", "audit", { target: user.id })}>${t("admin.person.happened")}</a>
    </p>
  `;
}

/** How they come in, and how they are kept out. */
function Doors({ user, put, again }) {
  const attempt = useAttempt();
  const [link, setLink] = useState(null);
  const me = session.value.user.id === user.id;
  const ask = async (name, work) => {
    const texts = {
      title: t(`admin.ask.${name}.title`, { email: user.email }),
      text: t(`admin.ask.${name}.text`),
      action: t(`admin.ask.${name}.yes`),
    };
    if (await confirmed(texts)) await attempt.run(() => fresh(work));
  };
  const makeLink = (kind) =>
    attempt.run(async () => setLink((await fresh(async () => ({ kind, ...(await api.link(user.id, kind)) }))) ?? null));
  const turn = async (disabled) => {
    put(await api.change(user.id, { disabled }));
    setLink(null); // It works no more.
  };
  const end = async () => {
    await api.endSessions(user.id);
    announcement.value = t("admin.person.ended");
    again();
  };
  return html`
    <p class="actions">
      ${!user.disabledAt &&
      html`
        <button aria-disabled=${attempt.resting} onClick=${() => makeLink("reset")}>${t("admin.person.resetLink")}</button>
        <button aria-disabled=${attempt.resting} onClick=${() => makeLink("login")}>${t("admin.person.loginLink")}</button>
        <button onClick=${() => ask("signout", end)}>${t("admin.person.signOut")}</button>
      `}
      ${user.disabledAt
        ? html`<button class="primary" onClick=${() => attempt.run(() => fresh(() => turn(false)))}>${t("admin.person.enable")}</button>`
        : !me && html`<button class="danger" onClick=${() => ask("disable", () => turn(true))}>${t("admin.person.disable")}</button>`}
    </p>
    <${Problem} attempt=${attempt} text=${(error) => saidOf(error, LAST)} />
    ${link &&
    html`<${Once} title=${t(`admin.person.${link.kind}Made`, { email: user.email })} text=${link.url}
      note=${t("admin.link.until", { when: dateTime(link.expiresAt) })} onClose=${() => setLink(null)} />`}
  `;
}

function Role({ user, onDone, onClose }) {
  return html`
    <${Sheet} title=${t("admin.person.roleOf", { email: user.email })} action=${t("admin.save")}
      wishOf=${({ role }) => ({ wish: { role } })} send=${(wish) => api.change(user.id, wish)}
      said=${LAST} onDone=${onDone} onClose=${onClose}>
      ${() => html`<${RoleChoice} value=${user.role} />`}
    <//>
  `;
}
