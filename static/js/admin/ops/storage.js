// What takes how much of the disk, and how much is left.

import { NONE, dateTime } from "../../format.js";
import { html } from "../../html.js";
import { t } from "../../i18n.js";
import { to } from "../../router.js";
import { Loaded } from "../../views/loaded.js";
import { sizeText } from "../../views/size.js";
import { Table } from "../../views/table.js";
import { storage } from "./api.js";
import { count, percent } from "./numbers.js";
import { useWatched } from "./watched.js";

export function Tab() {
  const found = useWatched(storage);
  return html`<${Loaded} from=${found}>${(value) => html`<${Space} ...${value} />`}<//>`;
}

function Space({ disk, files, database, largest, maxFile, orphansRemoved, retention }) {
  const ours = files.reduce((sum, each) => sum + each.bytes, database.bytes + database.walBytes + database.backupBytes);
  return html`
    <div class="ops-sections ops-space">
      <section aria-labelledby="disk-title">
        <h3 id="disk-title">${t("ops.space.disk")}</h3>
        ${disk.belowFloor && html`<p class="notice bad" role="alert">${t("ops.space.full")}</p>`}
        ${retention.shortage && html`<p class="notice warn" role="status">${shortageText(retention)}</p>`}
        <${Meter} ...${{ disk, ours }} />
        <p class="quiet">${disk.floor ? t("ops.space.floor", { floor: sizeText(disk.floor) }) : t("ops.space.noFloor")}</p>
      </section>
      <section aria-labelledby="kinds-title">
        <h3 id="kinds-title">${t("ops.space.kinds")}</h3>
        <${Table} caption=${t("ops.space.kinds")} columns=${kindColumns()} rows=${kindsOf(files, database)} id=${({ kind }) => kind} />
      </section>
      <section aria-labelledby="largest-title">
        <h3 id="largest-title">${t("ops.space.largest")}</h3>
        ${largest.length === 0
          ? html`<p class="quiet">${t("ops.space.noVideos")}</p>`
          : html`<${Table} caption=${t("ops.space.largest")} columns=${largestColumns()} rows=${largest} id=${({ videoId }) => videoId} />`}
      </section>
      <section aria-labelledby="kept-title">
        <h3 id="kept-title">${t("ops.space.kept")}</h3>
        <ul class="ops-notes">
          ${rulesOf(retention).map((rule) => html`<li key=${rule}>${rule}</li>`)}
          <li>${t("ops.space.maxFile", { size: sizeText(maxFile) })}</li>
          <li>${t("ops.space.logs")}</li>
          ${orphansRemoved !== null && html`<li>${orphansRemoved ? t("ops.space.orphans", { count: count(orphansRemoved) }) : t("ops.space.noOrphans")}</li>`}
          ${doneOf(retention).map((line) => html`<li key=${line}>${line}</li>`)}
        </ul>
      </section>
      ${retention.next.length > 0 &&
      html`
        <section aria-labelledby="next-title">
          <h3 id="next-title">${t("ops.space.next")}</h3>
          <${Table} caption=${t("ops.space.next")} columns=${nextColumns()} rows=${retention.next} id=${({ videoId }) => videoId} />
        </section>
      `}
    </div>
  `;
}

/** What is kept for how long, in sentences. */
function rulesOf({ keepDays, keepTag, freeBelow, freeAbove, freeShare, eventsDays, auditDays }) {
  const goes = keepDays > 0 || freeBelow > 0;
  return [
    keepDays > 0 && t("ops.space.keepDays", { count: count(keepDays) }),
    freeBelow > 0 && t("ops.space.floorRemoves", { below: sizeText(freeBelow), above: sizeText(freeAbove) }),
    freeBelow > 0 && freeShare < 1 && t("ops.space.freeShare", { share: percent(freeShare) }),
    goes && keepTag && t("ops.space.keepTag", { tag: keepTag }),
    !goes && t("ops.space.forever"),
    eventsDays > 0 && t("ops.space.events", { count: count(eventsDays) }),
    auditDays > 0 && t("ops.space.audit", { count: count(auditDays) }),
  ].filter(Boolean);
}

/** What the disk lacks, and why no more files go for it. */
const shortageText = ({ shortage: { needed, because }, freeShare }) =>
  t(`ops.space.shortage.${because}`, { size: sizeText(needed), share: percent(freeShare) });

/** What came of it, in sentences. */
function doneOf({ lastRunAt, freed, chores, walk }) {
  return [
    lastRunAt ? t("ops.space.lastRun", { when: dateTime(lastRunAt), size: sizeText(freed) }) : t("ops.space.neverRun"),
    ...chores.filter(({ failed }) => failed).map(({ name, failed }) => t("ops.space.failed", { name, reason: failed })),
    walk &&
      t("ops.space.walk", {
        when: dateTime(walk.endedAt),
        files: count(walk.files),
        orphans: count(walk.orphans),
        missing: count(walk.missing),
        wrong: count(walk.wrongSize),
      }),
    walk?.back > 0 && t("ops.space.back", { count: count(walk.back) }),
  ].filter(Boolean);
}

function Meter({ disk, ours }) {
  const { total, free, floor } = disk;
  const part = (size) => ({ "--part": Math.min(1, Math.max(0, size / total)) });
  return html`
    <div class="ops-disk" aria-hidden="true">
      <i class="others" style=${part(total - free)}></i>
      <i class="ours" style=${part(ours)}></i>
      ${floor > 0 && html`<i class="floor" style=${part(floor)}></i>`}
    </div>
    <dl class="ops-facts">
      <div><dt><i class="ours"></i>${t("ops.space.ours")}</dt><dd>${sizeText(ours)}</dd></div>
      <div><dt><i class="others"></i>${t("ops.space.others")}</dt><dd>${sizeText(Math.max(0, total - free - ours))}</dd></div>
      <div><dt>${t("ops.space.free")}</dt><dd>${sizeText(free)}</dd></div>
      <div><dt>${t("ops.space.total")}</dt><dd>${sizeText(total)}</dd></div>
    </dl>
  `;
}

const kindsOf = (files, database) => [
  ...files,
  { kind: "database", files: null, bytes: database.bytes },
  { kind: "wal", files: null, bytes: database.walBytes },
  ...(database.backupBytes ? [{ kind: "backups", files: null, bytes: database.backupBytes }] : []),
];

const kindColumns = () => [
  { title: t("ops.space.kind"), cell: ({ kind }) => t(`ops.kind.${kind}`) },
  { title: t("ops.space.files"), numeric: true, cell: ({ files }) => (files === null ? NONE : count(files)) },
  { title: t("ops.space.size"), numeric: true, cell: ({ bytes }) => sizeText(bytes) },
];

const largestColumns = () => [
  { title: t("ops.prompt"), cell: ({ videoId, prompt }) => html`<a href=${to("video", videoId)}>${prompt.slice(0, 80)}</a>` },
  { title: t("ops.owner"), cell: ({ owner }) => owner },
  { title: t("ops.model"), cell: ({ model }) => model },
  { title: t("ops.made"), cell: ({ completedAt }) => dateTime(completedAt) },
  { title: t("ops.space.size"), numeric: true, cell: ({ bytes }) => sizeText(bytes) },
];

const nextColumns = () => [
  { title: t("ops.prompt"), cell: ({ videoId, prompt }) => html`<a href=${to("video", videoId)}>${prompt.slice(0, 80)}</a>` },
  { title: t("ops.owner"), cell: ({ owner }) => owner },
  { title: t("ops.space.when"), cell: ({ expiresAt }) => (expiresAt ? dateTime(expiresAt) : t("ops.space.nextOnDemand")) },
  { title: t("ops.space.size"), numeric: true, cell: ({ bytes }) => sizeText(bytes) },
];
