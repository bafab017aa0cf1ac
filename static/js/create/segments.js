// A few choices beside each other, of which one holds.

import { html } from "../html.js";

/** `options` are { value, title }. */
export function Segments({ label, name, value, options, onChange, disabled = false }) {
  return html`
    <fieldset class="segments" disabled=${disabled}>
      <legend class="visually-hidden">${label}</legend>
      ${options.map(
        (option) => html`
          <label key=${option.value}>
            <input type="radio" name=${name} autocomplete="off" class="visually-hidden" checked=${option.value === value}
              onChange=${() => onChange(option.value)} />
            <span>${option.title}</span>
          </label>
        `,
      )}
    </fieldset>
  `;
}
