// Which part of a film strip is shown: frames lie in rows, the earliest at the left of the first one.

// Strips that are made here have five columns and two rows. An upstream's own may be anything, and says nothing about it:
// its shape follows from its size and the video's, when there is only one that it can be.
const SIDE = { least: 64, most: 512 };
const MOST = 12;
const SLACK = 0.02;

/** { columns, rows } of a strip of `width` x `height` pixels of a video of `size` ("1280x720"), null when that cannot
 *  be told. */
export function gridOf({ width, height }, size) {
  const [wide, high] = size.split("x").map(Number);
  const found = [];
  for (let columns = 1; columns <= MOST; columns++) {
    for (let rows = 1; rows <= MOST; rows++) {
      if (columns * rows < 4 || width % columns || height % rows) continue;
      const [w, h] = [width / columns, height / rows];
      const small = Math.max(w, h);
      // Frames are whole pixels, so that small ones are not exactly of the video's shape.
      const fits = Math.abs(w * high - h * wide) <= Math.max(wide, high) * Math.max(1, SLACK * small);
      if (fits && small >= SIDE.least && small <= SIDE.most) found.push({ columns, rows, slip: Math.abs(w * high - h * wide) });
    }
  }
  const ours = found.find(({ columns, rows }) => columns === 5 && rows === 2);
  if (!ours && found.length !== 1) return null;
  const { columns, rows } = ours ?? found[0];
  return { columns, rows };
}

/** The number of the frame under a pointer at `part` (0 at the left edge, 1 at the right one). */
export function frameAt(part, { columns, rows }) {
  const frames = columns * rows;
  return Math.min(frames - 1, Math.max(0, Math.floor(part * frames)));
}

/** Where the strip lies behind a window that is as large as one frame: custom properties for css/gallery.css. */
export function placeOf(frame, { columns, rows }) {
  const share = (at, count) => (count > 1 ? `${(at / (count - 1)) * 100}%` : "0%");
  return {
    "--columns": columns,
    "--rows": rows,
    "--x": share(frame % columns, columns),
    "--y": share(Math.floor(frame / columns), rows),
  };
}
