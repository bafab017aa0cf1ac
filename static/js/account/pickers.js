// A choice among few, above what it chooses.

import { html } from "../html.js";

/** `options` is a list of [value, text]. */
export const Choice = ({ label, value, options, onChange }) => html`
  <label class="choice">
    <span>${label}</span>
    <select value=${value} onChange=${(event) => onChange(event.target.value)}>
      ${options.map(([name, text]) => html`<option key=${name} value=${name}>${text}</option>`)}
    </select>
  </label>
`;
