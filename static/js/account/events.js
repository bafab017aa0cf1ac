// What a webhook can be told of.

import { t } from "../i18n.js";

export const EVENTS = ["video.completed", "video.failed", "video.cancelled"];
export const USUAL = ["video.completed", "video.failed"];

/** In words; also of "webhook.test". */
export function eventText(type) {
  const [, name] = type.split(".");
  return t(`account.event.${name}`);
}
