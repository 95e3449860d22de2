import { definedBy, type Graph } from '../../ir/node.ts';

/** Names nobody in the graph uses: `q_slice`, `q_slice_2`, …. */
export function freshNames(graph: Graph): (wish: string) => string {
  const taken = new Set<string>();
  const claim = (g: Graph): void => {
    for (const dim of g.dims) taken.add(dim);
    for (const value of [...g.inputs, ...g.params]) taken.add(value.id);
    for (const node of g.nodes) {
      taken.add(node.id);
      if (node.kind === 'op') continue;
      for (const result of definedBy(node)) taken.add(result.id);
      for (const { start, length } of [node, ...node.halos]) {
        taken.add(start);
        taken.add(length);
      }
      claim(node.body);
    }
  };
  claim(graph);
  /** Numbers below are taken: loops of deep models wish for the same names. */
  const next = new Map<string, number>();
  return (wish) => {
    let name = wish;
    let i = next.get(wish) ?? 2;
    for (; taken.has(name); i++) name = `${wish}_${i}`;
    next.set(wish, i);
    taken.add(name);
    return name;
  };
}

/** Names that cannot clash with identifiers, nor with those of another series. */
export function numbered(series = ''): (wish: string) => string {
  let count = 0;
  return (wish) => `${wish} ${series}${count++}`;
}

/** `N` → `n0` and `n`; `n0_2` and `n_2` for the next loop over N. */
export function loopNames(over: string, fresh: (wish: string) => string): { start: string; length: string } {
  const identifier = /^[A-Za-z_$][\w$]*$/.test(over) && !RESERVED.test(over);
  const base = identifier ? over.toLowerCase() : 'i';
  return { start: fresh(`${base}0`), length: fresh(base) };
}

const RESERVED =
  /^(await|break|case|catch|class|const|continue|debugger|default|delete|do|else|enum|eval|export|extends|false|finally|for|function|if|implements|import|in|instanceof|interface|let|new|null|package|private|protected|public|return|static|super|switch|this|throw|true|try|typeof|var|void|while|with|yield|arguments)$/i;
