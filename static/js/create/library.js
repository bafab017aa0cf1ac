// The saved images, mine and the team's, to choose from.

import { useState } from "../../vendor/hooks.js";
import { confirmed } from "../actions.js";
import { fileAddress, request } from "../api.js";
import { html } from "../html.js";
import { t } from "../i18n.js";
import { session } from "../state.js";
import { Problem, useAttempt } from "../views/attempt.js";
import { Icon } from "../views/icons.js";
import { Empty, Loaded, More, useLoaded } from "../views/loaded.js";

const PAGE = 24;

const page = (after) => request("GET", `api/references?${new URLSearchParams({ limit: PAGE, ...(after && { after }) })}`);

export function Library({ current, onChoose, onGone }) {
  const [older, setOlder] = useState(null); // Pages after the first one, as one: { references, hasMore }.
  const first = useLoaded(() => page());
  const attempt = useAttempt();
  return html`
    <div class="library" role="group" aria-label=${t("create.library")}>
      <${Loaded} from=${first}>
        ${(newest) => {
          const all = [...newest.references, ...(older?.references ?? [])];
          const more = older ?? newest;
          const load = async () => {
            const next = await page(all.at(-1).id);
            setOlder({ references: [...(older?.references ?? []), ...next.references], hasMore: next.hasMore });
          };
          const without = (list, gone) => ({ ...list, references: list.references.filter(({ id }) => id !== gone) });
          const remove = async (saved) => {
            const text = t("create.deleteImageText", { name: saved.name });
            if (!(await confirmed({ title: t("create.deleteImage"), text, action: t("action.delete") }))) return;
            await attempt.run(async () => {
              await request("DELETE", `api/references/${encodeURIComponent(saved.id)}`);
              first.put(without(newest, saved.id));
              setOlder(older && without(older, saved.id));
              onGone(saved.id);
            });
          };
          if (all.length === 0) return html`<${Empty} title=${t("create.libraryEmpty")}><p class="quiet">${t("create.libraryEmptyText")}</p><//>`;
          return html`
            <ul>
              ${all.map((saved) => html`<${Saved} key=${saved.id} saved=${saved} chosen=${saved.id === current} onChoose=${onChoose} onRemove=${remove} />`)}
            </ul>
            ${more.hasMore && html`<${More} load=${load} />`}
          `;
        }}
      <//>
      <${Problem} attempt=${attempt} />
    </div>
  `;
}

function Saved({ saved, chosen, onChoose, onRemove }) {
  const mayRemove = saved.mine || session.value.user.role === "admin";
  const title = saved.library === "team" ? t("create.teamImage", { name: saved.name }) : saved.name;
  return html`
    <li>
      <button type="button" class="picture" aria-pressed=${chosen} title=${title} onClick=${() => onChoose(saved)}>
        <img src=${fileAddress(saved.url)} alt=${title} loading="lazy" />
      </button>
      ${mayRemove &&
      html`
        <button type="button" class="round" aria-label=${t("create.deleteOf", { name: saved.name })} onClick=${() => onRemove(saved)}>
          <${Icon} name="trash" />
        </button>
      `}
    </li>
  `;
}
