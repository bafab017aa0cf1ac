// Values over time: a picture, and the same as a table for whoever cannot see it or wants the numbers.

import { useEffect, useMemo, useRef, useState } from "../../vendor/hooks.js";
import { NONE } from "../format.js";
import { html } from "../html.js";
import { language, t } from "../i18n.js";
import { MOST_SERIES, isEmpty, rowsOf } from "./chart-data.js";
import { Table } from "./table.js";

const DAY_MS = 86_400_000;

/** `series` is a list of { name, values }, at most six; `values` has one number for each of `times` (epoch milliseconds,
 *  rising), null where nothing is known. `unit` is a word behind each number. `daily` says that `times` are days of UTC.
 *  See chart-data.js for what makes them. */
export function Chart({ label, unit = "", series, times, daily = false }) {
  const [asTable, setAsTable] = useState(false);
  const [failed, setFailed] = useState(false);
  const words = useMemo(() => wordsOf(language.value, daily), [language.value, daily]);
  const shown = series.slice(0, MOST_SERIES);
  if (isEmpty({ times, series: shown })) {
    return html`<figure class="chart"><figcaption>${label}</figcaption><p class="quiet">${t("chart.none")}</p></figure>`;
  }
  const table = asTable || failed;
  return html`
    <figure class="chart">
      <figcaption>
        <span>${label}${unit && html`<span class="quiet">${t("text.aside", { text: unit })}</span>`}</span>
        ${!failed &&
        html`<button class="link" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>${t("chart.asTable")}</button>`}
      </figcaption>
      ${failed && html`<p class="quiet">${t("chart.failed")}</p>`}
      ${table
        ? html`<${Numbers} ...${{ label, series: shown, times, daily, words }} />`
        : html`<${Picture} ...${{ label, series: shown, times, daily, words, unit }} onFailed=${() => setFailed(true)} />`}
    </figure>
  `;
}

function Picture({ label, series, times, daily, words, unit, onFailed }) {
  const place = useRef(null);
  const [point, setPoint] = useState(null);
  const theme = useTheme();
  const what = JSON.stringify([series, times]); // A parent that is drawn again with the same numbers changes nothing.
  useEffect(() => {
    let drawn = null;
    let wanted = true;
    const observer = new ResizeObserver(() => drawn?.resize());
    import("./plot.js").then(({ plot }) => {
      if (!wanted) return;
      const bars = daily && series.length === 1;
      drawn = plot(place.current, { series, times, daily, bars, when: words.axis, amount: words.short, onPoint: setPoint });
      observer.observe(place.current);
    }, onFailed);
    return () => {
      wanted = false;
      observer.disconnect();
      drawn?.end();
    };
  }, [what, words, theme]);
  const at = point === null || point >= times.length ? null : point;
  return html`
    <div class="plot" ref=${place} role="img" aria-label=${t("chart.picture", { label })}></div>
    <ul class="legend">
      ${series.map(
        ({ name, values }, index) => html`
          <li key=${name}>
            <i class=${`chart-${index + 1}`}></i>${name}
            ${at !== null && html` <strong>${values[at] == null ? NONE : `${words.number(values[at])} ${unit}`}</strong>`}
          </li>
        `,
      )}
      <li class="quiet">${at === null ? "" : words.time(times[at])}</li>
    </ul>
  `;
}

function Numbers({ label, series, times, daily, words }) {
  const columns = [
    { title: daily ? t("chart.day") : t("chart.time"), cell: ({ time }) => words.time(time) },
    ...series.map(({ name }, index) => ({
      title: name,
      numeric: true,
      cell: ({ values }) => (values[index] === null ? NONE : words.number(values[index])),
    })),
  ];
  return html`<${Table} caption=${label} columns=${columns} rows=${rowsOf({ times, series })} id=${({ time }) => time} />`;
}

function wordsOf(name, daily) {
  const zone = daily ? { timeZone: "UTC" } : {};
  const day = new Intl.DateTimeFormat(name, { ...zone, month: "short", day: "numeric" });
  const hour = new Intl.DateTimeFormat(name, { ...zone, hour: "2-digit", minute: "2-digit" });
  const full = new Intl.DateTimeFormat(name, { ...zone, dateStyle: "medium", ...(!daily && { timeStyle: "short" }) });
  const short = new Intl.NumberFormat(name, { notation: "compact" });
  const number = new Intl.NumberFormat(name, { maximumFractionDigits: 2 });
  return {
    axis: (time, step) => (daily || step >= DAY_MS ? day : hour).format(time),
    time: (time) => full.format(time),
    short: (value) => short.format(value),
    number: (value) => number.format(value),
  };
}

/** Changes with the colours of the page, which a canvas does not follow by itself. */
function useTheme() {
  const [theme, setTheme] = useState(0);
  useEffect(() => {
    const turn = () => setTheme((was) => was + 1);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const chosen = new MutationObserver(turn);
    dark.addEventListener("change", turn);
    chosen.observe(document.documentElement, { attributeFilter: ["data-theme"] });
    return () => {
      dark.removeEventListener("change", turn);
      chosen.disconnect();
    };
  }, []);
  return theme;
}
