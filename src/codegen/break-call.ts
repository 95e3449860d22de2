/** A kernel call on one line, or with its options on lines of their own, or with everything on lines of its own. */
export function breakCall(
  head: string,
  operands: readonly string[],
  options: readonly string[],
  width: number,
): { indent: number; code: string }[] {
  const oneLine = `${head}${[...operands, `{ ${options.join(', ')} }`].join(', ')});`;
  if (oneLine.length <= width) return [{ indent: 0, code: oneLine }];
  const hugging = `${head}${[...operands, '{'].join(', ')}`;
  if (hugging.length <= width) {
    return [
      { indent: 0, code: hugging },
      ...options.flatMap((option) => fill(`${option},`, width - 2, 1)),
      { indent: 0, code: '});' },
    ];
  }
  return [
    { indent: 0, code: head },
    ...operands.map((operand) => ({ indent: 1, code: `${operand},` })),
    { indent: 1, code: '{' },
    ...options.flatMap((option) => fill(`${option},`, width - 4, 2)),
    { indent: 1, code: '},' },
    { indent: 0, code: ');' },
  ];
}

/** Breaks a long list of numbers (`values: [1, 2, …],`) into lines. */
function fill(text: string, width: number, indent: number): { indent: number; code: string }[] {
  if (text.length <= width) return [{ indent, code: text }];
  const open = text.indexOf('[');
  const close = text.lastIndexOf(']');
  if (open < 0 || close < open) return [{ indent, code: text }];
  const lines = [{ indent, code: text.slice(0, open + 1) }];
  let line = '';
  for (const item of text.slice(open + 1, close).split(', ')) {
    if (line !== '' && line.length + item.length + 2 > width) {
      lines.push({ indent: indent + 1, code: line });
      line = '';
    }
    line += `${line === '' ? '' : ' '}${item},`;
  }
  lines.push({ indent: indent + 1, code: line }, { indent, code: text.slice(close) });
  return lines;
}
