// A form in a dialog, and its fields.

import { useId } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { fresh } from "../session.js";
import { Problem, Submit, useAttempt } from "../views/attempt.js";
import { fieldText, useMending, valuesOf } from "../views/fields.js";
import { Modal } from "../views/modal.js";

/** `wishOf(values)` gives { wish }, or { field, key } of what is not filled in as it should be; `send(wish)` raises
 *  ApiError; `onDone` gets what it gave. `said` has better words for errors of this form: keys of texts by the error's
 *  code. Nothing is sent when a fresh sign-in is wanted and nobody gives one. */
export function Sheet({ title, action, wishOf, send, said, onDone, onClose, children }) {
  const attempt = useAttempt();
  const error = attempt.error?.param ? { field: attempt.error.param } : attempt.error;
  const form = useMending(error);
  const submit = async (event) => {
    event.preventDefault();
    const { wish, field, key = "admin.field.number" } = wishOf(valuesOf(event.target));
    if (field) return attempt.fail({ field, key });
    const sheet = event.target.closest("dialog");
    const answer = await attempt.run(() => fresh(async () => ({ got: await send(wish) })));
    if (!answer) return undefined;
    sheet.close(); // Gives the focus back to where it was.
    return onDone(answer.got);
  };
  return html`
    <${Modal} title=${title} onClose=${onClose}>
      <form class="fields" ref=${form} onSubmit=${submit} novalidate aria-busy=${attempt.busy}>
        ${children(error?.field)}
        <${Problem} attempt=${attempt} text=${(problem) => fieldText(problem) ?? saidOf(problem, said)} />
        <${Submit} attempt=${attempt}>${action}<//>
      </form>
    <//>
  `;
}

/** The words for an error: of `said`, by its code, or null. For `Problem`. */
export const saidOf = ({ code }, said = {}) => (said[code] ? t(said[code]) : null);

/** `wrong` is the name of the field that is to be mended. */
export function TextField({ label, name, hint, wrong, unit, ...more }) {
  const id = useId();
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <div class="withunit">
        <input id=${id} name=${name} autocomplete="off" aria-invalid=${wrong === name}
          aria-describedby=${hint || unit ? `${id}-hint` : undefined} ...${more} />
        ${unit && html`<span class="quiet" id=${hint ? undefined : `${id}-hint`}>${unit}</span>`}
      </div>
      ${hint && html`<p class="quiet" id=${`${id}-hint`}>${hint}</p>`}
    </div>
  `;
}

export const NumberField = (props) => html`<${TextField} inputmode="numeric" ...${props} />`;

/** `options` is a list of [value, text]. */
export const Choice = ({ label, name, options, value, hint, ...more }) => html`
  <label class="field">
    <span>${label}</span>
    <select name=${name} ...${more}>
      ${options.map(([each, text]) => html`<option value=${each} selected=${each === value}>${text}</option>`)}
    </select>
    ${hint && html`<p class="quiet">${hint}</p>`}
  </label>
`;

export const Tick = ({ label, name, checked = false }) => html`
  <label class="tick"><input type="checkbox" name=${name} defaultChecked=${checked} /><span>${label}</span></label>
`;

export const ROLES = ["viewer", "member", "admin"];

/** What each role may do is said beside it: people are made administrators by mistake. */
export const RoleChoice = ({ value = "member" }) => html`
  <fieldset class="field">
    <legend>${t("admin.role")}</legend>
    ${ROLES.map(
      (role) => html`
        <label class="tick tall" key=${role}>
          <input type="radio" name="role" value=${role} defaultChecked=${role === value} autocomplete="off" />
          <span>${t(`role.${role}`)}<small class="quiet">${t(`admin.role.${role}`)}</small></span>
        </label>
      `,
    )}
  </fieldset>
`;
