// Which models, lengths, shapes and sizes go together, and what is nearest to a draft. Pure.

const ANY_SIZES = ["720x1280", "1280x720", "1024x1792", "1792x1024"];
const ANY_SECONDS = [4, 8, 12];
const SHAPES = ["portrait", "landscape", "square"];

/** "1280x720" -> { width: 1280, height: 720 } */
export function sidesOf(size) {
  const [width, height] = size.split("x").map(Number);
  return { width, height };
}

export function shapeOf(size) {
  const { width, height } = sidesOf(size);
  return width === height ? "square" : width > height ? "landscape" : "portrait";
}

const nearest = (wanted, offered, distance) =>
  offered.reduce((best, each) => (distance(each, wanted) < distance(best, wanted) ? each : best));

const apart = (one, other) => Math.abs(one - other);

/** Another size in the same shape counts as nearer than any in another one. */
function sizesApart(one, other) {
  const [a, b] = [sidesOf(one), sidesOf(other)];
  const turned = shapeOf(one) === shapeOf(other) ? 0 : 1e6;
  return turned + apart(a.width, b.width) + apart(a.height, b.height);
}

/** The choice nearest to the draft that the offered models allow, with what else there is to choose: { model,
 *  operations, lengths, seconds, shapes, shape, sizes, size }, `sizes` of that shape only. Null while nothing is
 *  offered. */
export function choicesFor(draft, offered) {
  if (!offered?.length) return null;
  const model = offered.find(({ id }) => id === draft.model) ?? offered[0];
  const all = model.sizes.length ? model.sizes : ANY_SIZES;
  const lengths = model.seconds.length ? model.seconds : ANY_SECONDS;
  const size = draft.size ? nearest(draft.size, all, sizesApart) : all[0];
  const shape = shapeOf(size);
  return {
    model: model.id,
    lengths,
    seconds: draft.seconds ? nearest(draft.seconds, lengths, apart) : lengths[0],
    shapes: SHAPES.filter((each) => all.some((one) => shapeOf(one) === each)),
    shape,
    sizes: all.filter((each) => shapeOf(each) === shape),
    size,
    all,
  };
}

/** The size to take when somebody chooses another shape: the same one turned, or the nearest to it. */
export function sizeIn(shape, { size, all }) {
  const { width, height } = sidesOf(size);
  const offered = all.filter((each) => shapeOf(each) === shape);
  return nearest(`${height}x${width}`, offered, sizesApart);
}

/** What the upstream of a video can make of it: a list of "remix", "edit", "extend". */
export function operationsOn(task, offered) {
  if (task.status !== "completed" || !task.externalVideoId) return [];
  const made = offered?.find(({ upstream }) => upstream === task.upstream);
  return (made?.operations ?? []).filter((each) => each !== "create");
}
