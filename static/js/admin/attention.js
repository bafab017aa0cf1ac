// What of the numbers needs somebody. No page in here, so that node can try it.

/** With less free than this many times the floor, the disk will be full soon. */
const SOON = 2;

/** Of the alerts that are raised now, those that a destination wants to hear of: without a wish, all. */
export const concerning = ({ about }, active) => active.filter(({ kind }) => about.length === 0 || about.includes(kind));

/** A list of { kind, grave, address, ... } in the order of how much it matters; the rest are values of its words. */
export function attention({ stats, storage: { disk }, upstreams, books }) {
  const unknown = stats.jobs.unknown ?? 0;
  const capped = stats.dailyCreditsUsed.length;
  const full = disk.floor > 0 && disk.free < SOON * disk.floor;
  return [
    disk.belowFloor && { kind: "full", grave: true, address: ["storage"], free: disk.free },
    !books.balanced && { kind: "books", grave: true, address: ["credits"], count: books.complaints.length },
    unknown > 0 && { kind: "unknown", grave: true, address: ["unknown"], count: unknown },
    stats.disputes > 0 && { kind: "disputes", grave: true, address: ["unknown"], count: stats.disputes },
    ...upstreams
      .filter(({ open }) => !open)
      .map(({ name, reason }) => ({ kind: "closed", grave: true, address: ["upstreams"], name, reason })),
    ...stats.upstreams
      .filter(({ spend }) => spend.reached)
      .map(({ name }) => ({ kind: "spend", grave: true, address: ["upstreams"], name })),
    !disk.belowFloor && full && { kind: "fullSoon", grave: false, address: ["storage"], free: disk.free },
    capped > 0 && { kind: "capped", grave: false, address: ["people"], count: capped },
    stats.people.withoutPlan > 0 &&
      stats.people.withoutPlan < stats.people.everybody - stats.people.disabled && {
        kind: "withoutPlan", grave: false, address: ["people", { plan: "default" }], count: stats.people.withoutPlan,
      },
  ].filter(Boolean);
}
