// What a share link opens, for whoever has it: the video, to be seen and taken home. Nobody has to be signed in.

import { useState } from "../../vendor/hooks.js";
import { fileAddress, request } from "../api.js";
import { dateTime } from "../format.js";
import { html } from "../html.js";
import { errorText, t } from "../i18n.js";
import { Icon } from "../views/icons.js";
import { useLoaded } from "../views/loaded.js";

export const Screen = ({ path }) => html`<${Shared} key=${path[0]} token=${path[0] ?? ""} />`;

function Shared({ token }) {
  const shared = useLoaded(() => request("GET", `api/shared/${encodeURIComponent(token)}`, { quiet401: true }), [token]);
  const [broken, setBroken] = useState(false);
  const video = shared.value;
  if (!video && shared.error) {
    const gone = shared.error.status >= 400 && shared.error.status < 500 && shared.error.status !== 429;
    return html`
      <div class="empty" role="alert">
        <p><strong>${gone ? t("shared.gone") : t("shared.failed")}</strong></p>
        <p class="quiet">${gone ? t("shared.goneText") : errorText(shared.error)}</p>
        ${!gone && html`<button onClick=${shared.again}>${t("action.tryAgain")}</button>`}
      </div>
    `;
  }
  if (!video) return html`<p class="quiet centre" role="status">${t("app.loading")}</p>`;
  return html`
    <article class="video shared" data-shape=${video.orientation}>
      <h2>${t("shared.title")}</h2>
      <div class="stage-box">
        ${video.videoUrl && !broken
          ? html`<video controls playsinline preload="metadata" src=${fileAddress(video.videoUrl)}
              poster=${fileAddress(video.thumbnailUrl)} aria-label=${t("shared.title")} onError=${() => setBroken(true)}></video>`
          : html`<p class="state">${broken ? t("error.unplayable") : t(video.status === "completed" ? "card.noFile" : "shared.notYet")}</p>`}
      </div>
      <div class="actions">
        ${video.videoUrl &&
        html`<a class="button primary" href=${fileAddress(video.videoUrl)} download="video.mp4"><${Icon} name="download" />${t("action.download")}</a>`}
        ${!video.videoUrl && video.status !== "failed" && html`<button onClick=${shared.again}>${t("action.tryAgain")}</button>`}
      </div>
      <p class="facts quiet">
        ${[video.model, t("composer.secondsOption", { count: video.seconds }), video.size.replace("x", " × ")].join(" · ")} ·${" "}
        ${t("shared.until", { when: dateTime(video.expiresAt) })}
      </p>
    </article>
  `;
}
