/** The name of a plan of autochunk among contestants. The first contestant is the one that others are compared with. */
export const planName = (label) => (label === 'unchunked' ? 'autochunk' : `autochunk within ${label}`);

/** The plan that {@link planName} named; undefined for other libraries. */
export const planOf = (name) =>
  name === 'autochunk' ? 'unchunked' : /^autochunk within (.*)$/.exec(name)?.[1];
