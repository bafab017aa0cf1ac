// Rows for people who compare them; on a phone each row is a card, and each cell says what it is.

import { html } from "../html.js";

/** `columns` is a list of { title, cell(row), numeric }; `id(row)` tells rows apart; `caption` says what they are. */
export function Table({ caption, columns, rows, id }) {
  return html`
    <div class="table" tabindex="0" role="region" aria-label=${caption}>
      <table>
        <caption class="visually-hidden">${caption}</caption>
        <thead>
          <tr>${columns.map(({ title, numeric }) => html`<th scope="col" class=${numeric && "numeric"}>${title}</th>`)}</tr>
        </thead>
        <tbody>
          ${rows.map(
            (row) => html`
              <tr key=${id(row)}>
                ${columns.map(
                  ({ title, cell, numeric }) => html`<td data-label=${title} class=${numeric && "numeric"}>${cell(row)}</td>`,
                )}
              </tr>
            `,
          )}
        </tbody>
      </table>
    </div>
  `;
}
