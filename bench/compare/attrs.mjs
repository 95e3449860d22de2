/** Attributes of ops as numbers; graphs are specialised. */

/** Elements added at the top, bottom, left and right of an image: all four are written, or one for rows and one for columns. */
export function paddingOf({ attrs: { padding } }) {
  return padding.length === 4 ? padding : [padding[0], padding[0], padding[1], padding[1]];
}

export const equationOf = ({ attrs }) => attrs.equation.text;

export const product = (shape) => shape.reduce((a, b) => a * b, 1);
