// Links by which people make their own accounts: each works once.

import { useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { dateTime } from "../format.js";
import { fresh } from "../session.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Empty, Loaded, useLoaded } from "../views/loaded.js";
import { Table } from "../views/table.js";
import { invitations as api } from "./api.js";
import { addresses, whole } from "./limits.js";
import { Once } from "./once.js";
import { Choice, NumberField, RoleChoice, Sheet } from "./sheet.js";

const DAY = 86_400;
const LIFETIMES = [1, 7, 30];
const MOST = 50;

export function Tab() {
  const list = useLoaded(api.list);
  const attempt = useAttempt();
  const [adding, setAdding] = useState(false);
  const [made, setMade] = useState(null);
  const done = (links) => {
    setMade(links);
    list.again();
  };
  const withdraw = async (invitation) => {
    const texts = {
      title: t("admin.ask.invitation.title"),
      text: t("admin.ask.invitation.text"),
      action: t("admin.ask.invitation.yes"),
    };
    if (await confirmed(texts)) await attempt.run(() => fresh(() => api.withdraw(invitation.id).then(list.again)));
  };
  const columns = [
    { title: t("admin.invitations.for"), cell: ({ email }) => email ?? t("admin.invitations.anybody") },
    { title: t("admin.role"), cell: ({ role }) => t(`role.${role}`) },
    { title: t("admin.made"), cell: ({ createdAt }) => dateTime(createdAt) },
    { title: t("admin.expires"), cell: ({ expiresAt }) => dateTime(expiresAt) },
    {
      title: t("admin.actions"),
      cell: (row) => html`
        <button aria-label=${t("admin.invitations.withdrawOf", { who: row.email ?? row.id })} onClick=${() => withdraw(row)}>
          ${t("admin.invitations.withdraw")}
        </button>
      `,
    },
  ];
  return html`
    <div class="bar-of">
      <p class="quiet">${t("admin.invitations.text")}</p>
      <button class="primary" onClick=${() => setAdding(true)}>${t("admin.invitations.add")}</button>
    </div>
    ${made &&
    html`<${Once} title=${t("admin.invitations.madeTitle", { count: made.length })} text=${asText(made)}
      note=${t("admin.link.until", { when: dateTime(made[0].expiresAt) })} onClose=${() => setMade(null)} />`}
    <${Problem} attempt=${attempt} />
    <${Loaded} from=${list}>
      ${({ invitations }) =>
        invitations.length
          ? html`<${Table} caption=${t("admin.tab.invitations")} columns=${columns} rows=${invitations} id=${({ id }) => id} />`
          : html`<${Empty} title=${t("admin.invitations.none")}><p class="quiet">${t("admin.invitations.noneText")}</p><//>`}
    <//>
    ${adding && html`<${NewInvitations} onDone=${done} onClose=${() => setAdding(false)} />`}
  `;
}

/** A single one is the link alone, so that it can be pasted into a message. */
const asText = (links) => links.map(({ email, url }) => (email && links.length > 1 ? `${email} ${url}` : url)).join("\n");

/** A link for each address, or some for anybody. */
function wishOf({ people, count, role, days }) {
  const whom = addresses(people);
  const number = whom.length || whole(count || "1", 1);
  if (!number || number > MOST) return { field: whom.length ? "people" : "count", key: "admin.invitations.tooMany" };
  const emails = whom.length ? whom : Array(number).fill(undefined);
  return { wish: emails.map((email) => ({ ...(email && { email }), role, expiresIn: Number(days) * DAY })) };
}

/** One after the other; what was made before one fails is not thrown away. */
async function createAll(wishes) {
  const made = [];
  for (const wish of wishes) {
    try {
      made.push(await api.create(wish));
    } catch (error) {
      if (made.length === 0) throw error;
      break;
    }
  }
  return made;
}

function NewInvitations({ onDone, onClose }) {
  return html`
    <${Sheet} title=${t("admin.invitations.add")} action=${t("admin.invitations.create")} wishOf=${wishOf} send=${createAll}
      said=${{ conflict: "admin.people.exists" }} onDone=${onDone} onClose=${onClose}>
      ${(wrong) => html`
        <label class="field">
          <span>${t("admin.invitations.people")}</span>
          <textarea name="people" rows="2" autocapitalize="none" spellcheck=${false} aria-invalid=${wrong === "people"}></textarea>
          <p class="quiet">${t("admin.invitations.peopleText")}</p>
        </label>
        <${NumberField} label=${t("admin.invitations.count")} name="count" placeholder="1" wrong=${wrong} />
        <${RoleChoice} />
        <${Choice} label=${t("admin.lifetime")} name="days" value=${7}
          options=${LIFETIMES.map((days) => [days, t("admin.days", { days })])} />
      `}
    <//>
  `;
}
