// Rows for spreadsheets.

const FORMULA = /^[=+\-@\t\r\n]/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/** `rows` with `titles` above them, one line each. A text that a spreadsheet could take for a formula has an apostrophe
 *  before it, as in the gateway's own files. */
export const csv = (titles, rows) => `${[titles, ...rows].map((cells) => cells.map(cell).join(",")).join("\r\n")}\r\n`;

function cell(value) {
  const plain = value === null || value === undefined ? "" : String(value);
  const text = FORMULA.test(plain) && !NUMBER.test(plain) ? `'${plain}` : plain;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
