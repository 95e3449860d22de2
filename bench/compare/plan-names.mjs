/** The plan for all of the unchunked peak, which needs no loops. */
export const WITHOUT_LOOPS = 'unchunked';

/** The name of a plan of autochunk among contestants. The first contestant is the one that others are compared with. */
export const planName = (label) => (label === WITHOUT_LOOPS ? 'autochunk' : `autochunk within ${label}`);

/** The plan that {@link planName} named; undefined for other libraries. */
export const planOf = (name) =>
  name === 'autochunk' ? WITHOUT_LOOPS : /^autochunk within (.*)$/.exec(name)?.[1];
