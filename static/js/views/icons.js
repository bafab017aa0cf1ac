// Small line drawings in the colour of the text around them. They decorate: names are in the text.

import { html } from "../html.js";

const PATHS = {
  back: "M19 12H5M11 6l-6 6 6 6",
  cancelled: "M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17M6 6l12 12",
  check: "M5 12.5l4.5 4.5L19 7.5",
  close: "M6 6l12 12M18 6L6 18",
  code: "M9 7l-5 5 5 5M15 7l5 5-5 5",
  compare: "M3.5 6h7.5v12H3.5zM13 6h7.5v12H13z",
  copy: "M9 9h10v11H9zM15 9V4H5v11h4",
  download: "M12 4v11M7.5 11l4.5 4.5 4.5-4.5M5 20h14",
  eye: "M2.5 12C5 7.5 8.3 5.5 12 5.5s7 2 9.5 6.5c-2.5 4.5-5.8 6.5-9.5 6.5S5 16.5 2.5 12M12 9a3 3 0 1 0 0 6 3 3 0 0 0 0-6",
  film: "M4 5h16v14H4zM10 9v6l5-3z",
  forward: "M5 12h14M13 6l6 6-6 6",
  gauge: "M4 17a8 8 0 1 1 16 0M12 17l4-5",
  grid: "M4 4h7v7H4zM13 4h7v7h-7zM4 13h7v7H4zM13 13h7v7h-7z",
  hidden: "M2.5 12C5 7.5 8.3 5.5 12 5.5s7 2 9.5 6.5c-2.5 4.5-5.8 6.5-9.5 6.5S5 16.5 2.5 12M4.5 4.5l15 15",
  image: "M4 5h16v14H4zM4 16l4.5-4.5 4 4 2.5-2.5 5 5M15 8.5v.1",
  link: "M10 14a4 4 0 0 0 6 .4l3-3a4 4 0 0 0-5.7-5.7l-1.2 1.2M14 10a4 4 0 0 0-6-.4l-3 3a4 4 0 0 0 5.7 5.7l1.2-1.2",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  menu: "M5 8h14M5 16h14",
  pause: "M8 5.5v13M16 5.5v13",
  person: "M12 4a4 4 0 1 0 0 8 4 4 0 0 0 0-8M4.5 20c.8-3.8 3.7-5.5 7.5-5.5s6.7 1.7 7.5 5.5",
  play: "M8 5.5v13l10.5-6.5z",
  retry: "M19 12a7 7 0 1 1-2.2-5.1M19 4v4.5h-4.5",
  search: "M11 4.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M16 16l4.5 4.5",
  select: "M4 4h16v16H4zM8 12.2l3 3 5.5-6",
  signout: "M10 5H5v14h5M14 8l4 4-4 4M18 12H9.5",
  sliders: "M4 8h8M17 8h3M12 8a2.5 2.5 0 1 0 5 0 2.5 2.5 0 0 0-5 0M4 16h3M12 16h8M7 16a2.5 2.5 0 1 0 5 0 2.5 2.5 0 0 0-5 0",
  spark: "M12 4l1.8 5.2L19 11l-5.2 1.8L12 18l-1.8-5.2L5 11l5.2-1.8zM19 17v4M17 19h4",
  trash: "M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13M10.5 11v5.5M13.5 11v5.5",
  warning: "M12 4.5L21 20H3zM12 10.5v4.5M12 17.6v.1",
};

export const Icon = ({ name }) => html`
  <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false"><path d=${PATHS[name]} /></svg>
`;

export const Mark = () => html`
  <svg class="mark" viewBox="0 0 32 32" aria-hidden="true" focusable="false">
    <rect width="32" height="32" rx="9" />
    <path d="M5.8 22.5a10.2 10.2 0 0 1 20.4 0" class="far" />
    <path d="M9 22.5a7 7 0 0 1 14 0" />
    <path d="M13.4 17.2v7l6-3.5z" class="play" />
  </svg>
`;
