/**
 * A local minimum of a function of several variables, by the simplex method of Nelder and Mead (1965) with their
 * coefficients, started anew from its result until that no longer helps. Deterministic.
 *
 * @param start where to look first
 * @param step size of the first simplex along every axis
 */
export function minimise(
  f: (x: readonly number[]) => number,
  start: readonly number[],
  step = 1,
): readonly number[] {
  let best = start;
  let value = f(start);
  for (let restart = 0; restart < RESTARTS; restart++) {
    const found = descend(f, best, step / 2 ** restart);
    const lower = f(found);
    if (!(lower < value)) break;
    const gain = value - lower;
    best = found;
    value = lower;
    if (gain <= TOLERANCE * Math.abs(value)) break;
  }
  return best;
}

const RESTARTS = 8;
const STEPS = 2000;
const TOLERANCE = 1e-9;

interface Vertex {
  readonly x: readonly number[];
  readonly value: number;
}

function descend(
  f: (x: readonly number[]) => number,
  start: readonly number[],
  step: number,
): readonly number[] {
  const at = (x: readonly number[]): Vertex => ({ x, value: f(x) });
  const simplex = [
    at(start),
    ...start.map((_, axis) => at(start.map((v, i) => (i === axis ? v + step : v)))),
  ];
  const order = (): void => void simplex.sort((a, b) => a.value - b.value);
  for (let i = 0; i < STEPS; i++) {
    order();
    const [first, last] = [simplex[0] as Vertex, simplex.at(-1) as Vertex];
    if (last.value - first.value <= TOLERANCE * (Math.abs(first.value) + TOLERANCE)) break;
    const others = simplex.slice(0, -1);
    const centre = start.map((_, axis) => mean(others.map(({ x }) => x[axis] as number)));
    const towards = (factor: number): Vertex =>
      at(centre.map((c, axis) => c + factor * ((last.x[axis] as number) - c)));
    const reflected = towards(-1);
    const second = (others.at(-1) as Vertex).value;
    let next = reflected;
    if (reflected.value < first.value) {
      const expanded = towards(-2);
      if (expanded.value < reflected.value) next = expanded;
    } else if (reflected.value >= second) {
      const contracted = towards(reflected.value < last.value ? -0.5 : 0.5);
      if (contracted.value >= Math.min(reflected.value, last.value)) {
        for (let v = 1; v < simplex.length; v++) {
          const { x } = simplex[v] as Vertex;
          simplex[v] = at(x.map((c, axis) => ((first.x[axis] as number) + c) / 2));
        }
        continue;
      }
      next = contracted;
    }
    simplex[simplex.length - 1] = next;
  }
  order();
  return (simplex[0] as Vertex).x;
}

const mean = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
