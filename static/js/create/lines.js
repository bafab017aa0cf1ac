// Prompts from pasted text, one in each line, as the gateway reads them (core/prompt_lines.py). Pure.

const LINE = /\r\n|[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]/;
const BULLET = /^[-*•–]\s+(?=\S)/;
const NUMBER = /^([0-9]{1,5})[.)]\s+(?=\S)/;

/** Empty lines are none; a list loses its bullets or numbers when every line has one. */
export function promptLines(text) {
  const lines = text.split(LINE).map((line) => line.trim()).filter(Boolean);
  if (lines.length < 2) return lines;
  if (lines.every((line) => BULLET.test(line))) return lines.map((line) => line.replace(BULLET, ""));
  const inOrder = lines.every((line, at) => Number(NUMBER.exec(line)?.[1]) === at + 1);
  return inOrder ? lines.map((line) => line.replace(NUMBER, "")) : lines;
}
