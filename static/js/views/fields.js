// An address and a password, as password managers know them.

import { useEffect, useId, useRef, useState } from "../../vendor/hooks.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { Icon } from "./icons.js";

const SHORTEST = 8;
const LONGEST = 128;

/** The values of a form that is being sent, by name. Read from the fields themselves, because not every password
 *  manager tells when it fills one in. */
export const valuesOf = (form) => Object.fromEntries(new FormData(form));

/** What keeps the values from being sent: { field, key }, or null. The gateway says the rest. */
export function faultOf({ email, password, next }) {
  if (email !== undefined && !email.trim()) return { field: "email", key: "field.emailMissing" };
  if (password !== undefined && !password) return { field: "password", key: "field.passwordMissing" };
  if (next === undefined) return null;
  const length = [...next.normalize("NFC")].length;
  return length < SHORTEST || length > LONGEST ? { field: "next", key: "field.passwordLength" } : null;
}

/** Better words for what the gateway finds wrong with a field. */
export function fieldText({ code, param }) {
  if (code !== "invalid_request") return null;
  if (param === "password" || param === "new") return t("field.passwordWeak");
  return param === "email" ? t("field.emailBad") : null;
}

// Not type="email": browsers would write names of hosts in other scripts in another way than they were typed.
export const EmailField = ({ value = "", error, hidden = false, ...more }) => html`
  <label class="field" hidden=${hidden}>
    <span>${t("field.email")}</span>
    <input name="email" type="text" inputmode="email" autocomplete="username" autocapitalize="none" spellcheck=${false}
      maxlength="254" defaultValue=${value} aria-invalid=${error?.field === "email"} ...${more} />
  </label>
`;

/** `chosen` for a password that is being thought up now: named "next", with its rules beside it. */
export function PasswordField({ label, chosen = false, error, ...more }) {
  const [shown, setShown] = useState(false);
  const id = useId();
  const name = chosen ? "next" : "password";
  const action = shown ? t("field.hide") : t("field.show");
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <div class="secret">
        <input id=${id} name=${name} type=${shown ? "text" : "password"} autocapitalize="none" spellcheck=${false}
          autocomplete=${chosen ? "new-password" : "current-password"} aria-invalid=${error?.field === name}
          aria-describedby=${chosen ? `${id}-rules` : undefined} ...${more} />
        <button type="button" class="round" onClick=${() => setShown(!shown)} aria-label=${action} title=${action}>
          <${Icon} name=${shown ? "hidden" : "eye"} />
        </button>
      </div>
      ${chosen && html`<p class="quiet" id=${`${id}-rules`}>${t("field.passwordRules")}</p>`}
    </div>
  `;
}

/** The focus goes to what has come up: to its first field, or where an on-screen keyboard would hide the rest, to its
 *  heading. Give the returned ref to the element around both. */
export function useArrival() {
  const place = useRef(null);
  useEffect(() => {
    const field = matchMedia("(pointer: fine)").matches && place.current.querySelector("input:not([readonly])");
    (field || place.current.querySelector("[tabindex]"))?.focus();
  }, []);
  return place;
}

/** The focus goes to the field that is to be mended. Give the returned ref to the form. */
export function useMending(error) {
  const form = useRef(null);
  useEffect(() => {
    const field = error?.field && form.current?.elements[error.field];
    (field?.[0] ?? field)?.focus(); // Boxes that share a name come as a list.
  }, [error]);
  return form;
}
