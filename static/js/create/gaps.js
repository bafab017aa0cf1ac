// Filling templates as the gateway does (core/template.py), but for what is not typed yet. Pure.

const PIECE = /\{\{|\}\}|\{([^{}]*)\}/g;

/** `text` with its gaps filled; one without a value stays as it is. `{{` is a brace. */
export const fill = (text, values) =>
  text.replace(PIECE, (piece, name) => {
    if (name === undefined) return piece[0];
    const composed = name.normalize("NFC");
    return (Object.hasOwn(values, composed) && values[composed]) || piece;
  });

/** The names that have no value yet. */
export const unfilled = (gaps, values) => gaps.filter((name) => !(Object.hasOwn(values, name) && values[name]));
