// Gives credits to people, or takes some away: to one or to many, each by a call of its own.

import { useState } from "../../vendor/hooks.js";
import { signed } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { fresh } from "../session.js";
import { useAttempt, Problem, Submit } from "../views/attempt.js";
import { useMending, valuesOf } from "../views/fields.js";
import { Modal } from "../views/modal.js";
import { credits } from "./api.js";
import { figure } from "./figures.js";
import { addresses, whole } from "./limits.js";
import { NumberField, TextField } from "./sheet.js";

const MOST = 200;

/** What a form means: { people, amount, note }, or { field, key }. */
function wishOf({ people, direction, amount, note }) {
  const whom = addresses(people);
  if (whom.length === 0) return { field: "people", key: "admin.credits.nobody" };
  if (whom.length > MOST) return { field: "people", key: "admin.credits.tooMany" };
  const count = whole(amount, 1);
  if (!count) return { field: "amount", key: "admin.field.number" };
  if (direction === "take" && !note.trim()) return { field: "note", key: "admin.credits.noteMissing" };
  return { whom, amount: direction === "take" ? -count : count, note: note.trim() };
}

const book = (email, { amount, note }) =>
  amount > 0 ? credits.grant({ email, amount, note }) : credits.adjust({ email, amount, note });

export function Giving({ whom = [], onDone, onClose }) {
  const attempt = useAttempt();
  const form = useMending(attempt.error);
  const [done, setDone] = useState(null);
  const send = async (event) => {
    event.preventDefault();
    const wish = wishOf(valuesOf(event.target));
    if (wish.field) return attempt.fail(wish);
    return attempt.run(async () => {
      const results = [];
      for (const email of wish.whom) {
        const result = await fresh(() => book(email, wish)).then((balance) => ({ balance }), (error) => ({ error }));
        if (!result.balance && !result.error) break; // Nobody showed who they are.
        results.push({ email, ...result });
      }
      if (results.length) setDone({ results, amount: wish.amount });
      if (results.some(({ balance }) => balance)) onDone();
    });
  };
  const title = t("admin.credits.give");
  if (done) return html`<${Modal} title=${title} onClose=${onClose}><${Results} ...${done} /><//>`;
  return html`
    <${Modal} title=${title} onClose=${onClose}>
      <form class="fields" ref=${form} onSubmit=${send} novalidate aria-busy=${attempt.busy}>
        <label class="field">
          <span>${t("admin.credits.people")}</span>
          <textarea name="people" rows="2" autocapitalize="none" spellcheck=${false} defaultValue=${whom.join("\n")}></textarea>
          <p class="quiet">${t("admin.credits.peopleText")}</p>
        </label>
        <fieldset class="field">
          <legend>${t("admin.credits.what")}</legend>
          ${["give", "take"].map(
            (way) => html`
              <label class="tick" key=${way}>
                <input type="radio" name="direction" value=${way} defaultChecked=${way === "give"} autocomplete="off" />
                <span>${t(`admin.credits.way.${way}`)}</span>
              </label>
            `,
          )}
        </fieldset>
        <${NumberField} label=${t("admin.credits.amount")} name="amount" wrong=${attempt.error?.field} unit=${t("admin.credits.unit")} />
        <${TextField} label=${t("admin.credits.note")} name="note" maxlength="300" hint=${t("admin.credits.noteText")} wrong=${attempt.error?.field} />
        <${Problem} attempt=${attempt} />
        <${Submit} attempt=${attempt}>${t("admin.credits.book")}<//>
      </form>
    <//>
  `;
}

/** What came of each: a call that was not answered may have been carried out. */
function Results({ results, amount }) {
  const text = ({ balance, error }) => {
    if (balance) return t("admin.credits.booked", { amount: signed(amount), balance: figure(balance.available) });
    if (error.code === "conflict") return t("admin.credits.tooFew");
    if (error.code === "not_found") return t("admin.credits.unknownPerson");
    return error.status === 0 || error.status >= 500 ? t("admin.credits.unsure") : errorText(error);
  };
  return html`
    <ul class="results" role="status">
      ${results.map(
        (result) => html`
          <li key=${result.email}><strong>${result.email}</strong> <span class=${result.error ? "problem" : "quiet"}>${text(result)}</span></li>
        `,
      )}
    </ul>
  `;
}
