import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** What tsc prints for the files of mistakes, with the source line of each. */
function messages(): string {
  let output = '';
  try {
    execFileSync('node_modules/.bin/tsc', ['-p', 'test/types/mistakes', '--pretty', 'false'], { cwd: root });
  } catch (error) {
    output = String((error as { stdout: Buffer }).stdout);
  }
  const ours = output.split(/^(?=\S)/m).filter((message) => message.startsWith('test/types/mistakes/'));
  return ours
    .join('')
    .replace(
      /^(test\/types\/mistakes\/[\w-]+\.ts)\((\d+),(\d+)\): error TS\d+: /gm,
      (_, file, line, column) => {
        const source = readFileSync(root + file, 'utf8').split('\n')[Number(line) - 1] as string;
        return `\n${source.trim()}\n${' '.repeat(Number(column) - 1 - (source.length - source.trimStart().length))}^\n`;
      },
    );
}

test('shape mistakes are reported at the argument, in words', () => {
  expect(messages()).toMatchInlineSnapshot(`
    "
    add(x, y);
           ^
    Argument of type 'Tensor<["N", 512]>' is not assignable to parameter of type 'Tensor<["N", 512]> & "add: cannot broadcast [N, 768] with [N, 512]"'.
      Type 'Tensor<["N", 512]>' is not assignable to type '"add: cannot broadcast [N, 768] with [N, 512]"'.

    add(x, m);
           ^
    Argument of type 'Tensor<["M", 768]>' is not assignable to parameter of type 'Tensor<["M", 768]> & "add: cannot broadcast [N, 768] with [M, 768]"'.
      Type 'Tensor<["M", 768]>' is not assignable to type '"add: cannot broadcast [N, 768] with [M, 768]"'.

    where(x, 0, y);
                ^
    Argument of type 'Tensor<["N", 512]>' is not assignable to parameter of type 'Tensor<["N", 512]> & "where: cannot broadcast [N, 768] with [N, 512]"'.
      Type 'Tensor<["N", 512]>' is not assignable to type '"where: cannot broadcast [N, 768] with [N, 512]"'.

    matmul(x, y);
              ^
    Argument of type 'Tensor<["N", 512]>' is not assignable to parameter of type 'Tensor<["N", 512]> & "matmul: contracted extents differ: [N, 768] · [N, 512]"'.
      Type 'Tensor<["N", 512]>' is not assignable to type '"matmul: contracted extents differ: [N, 768] · [N, 512]"'.

    matmul(heads, transpose(scores, 1, 2));
                  ^
    Argument of type 'Tensor<[12, "N", "N"]>' is not assignable to parameter of type 'Tensor<[12, "N", "N"]> & "matmul: contracted extents differ: [12, N, 64] · [12, N, N]"'.
      Type 'Tensor<[12, "N", "N"]>' is not assignable to type '"matmul: contracted extents differ: [12, N, 64] · [12, N, N]"'.

    matmul(heads, transpose(scores, 0, 1));
                  ^
    Argument of type 'Tensor<["N", 12, "N"]>' is not assignable to parameter of type 'Tensor<["N", 12, "N"]> & "matmul: contracted extents differ: [12, N, 64] · [N, 12, N]"'.
      Type 'Tensor<["N", 12, "N"]>' is not assignable to type '"matmul: contracted extents differ: [12, N, 64] · [N, 12, N]"'.

    linear(x, param('weight', [3072, 512]));
              ^
    Argument of type 'Tensor<[3072, 512]>' is not assignable to parameter of type 'Tensor<readonly [3072, 512]> & "linear: expected last axis 512 for weight [3072, 512], got [N, 768]"'.
      Type 'Tensor<[3072, 512]>' is not assignable to type '"linear: expected last axis 512 for weight [3072, 512], got [N, 768]"'.

    linear(x, param('weight', [3072, 768]), param('bias', [768]));
                                            ^
    Argument of type 'Tensor<[768]>' is not assignable to parameter of type 'Tensor<[768]> & "linear: expected bias [3072], got [768]"'.
      Type 'Tensor<[768]>' is not assignable to type '"linear: expected bias [3072], got [768]"'.

    linear(x, param('weight', [512, 3072]), undefined, { transposed: true });
              ^
    Argument of type 'Tensor<[512, 3072]>' is not assignable to parameter of type 'Tensor<readonly [512, 3072]> & "linear: expected last axis 512 for weight [512, 3072] (transposed), got [N, 768]"'.
      Type 'Tensor<[512, 3072]>' is not assignable to type '"linear: expected last axis 512 for weight [512, 3072] (transposed), got [N, 768]"'.

    layerNorm(x, param('weight', [512]));
                 ^
    Argument of type 'Tensor<[512]>' is not assignable to parameter of type 'Tensor<[512]> & "layerNorm: expected parameters [768] for [N, 768], got [512]"'.
      Type 'Tensor<[512]>' is not assignable to type '"layerNorm: expected parameters [768] for [N, 768], got [512]"'.

    layerNorm(x, param('weight', [768]), param('bias', [512]));
                                         ^
    Argument of type 'Tensor<[512]>' is not assignable to parameter of type 'Tensor<[512]> & "layerNorm: expected parameters [768] for [N, 768], got [512]"'.
      Type 'Tensor<[512]>' is not assignable to type '"layerNorm: expected parameters [768] for [N, 768], got [512]"'.

    rmsNorm(x, param('weight', [768, 1]));
               ^
    Argument of type 'Tensor<[768, 1]>' is not assignable to parameter of type 'Tensor<[768, 1]> & "rmsNorm: expected parameters [768] for [N, 768], got [768, 1]"'.
      Type 'Tensor<[768, 1]>' is not assignable to type '"rmsNorm: expected parameters [768] for [N, 768], got [768, 1]"'.

    scaledDotProductAttention(heads, scores, scores);
                                     ^
    Argument of type 'Tensor<[12, "N", "N"]>' is not assignable to parameter of type 'Tensor<[12, "N", "N"]> & "scaledDotProductAttention: queries [12, N, 64] and keys [12, N, N] differ in channels"'.
      Type 'Tensor<[12, "N", "N"]>' is not assignable to type '"scaledDotProductAttention: queries [12, N, 64] and keys [12, N, N] differ in channels"'.

    softmax(x, 2);
               ^
    Argument of type '2' is not assignable to parameter of type '-2 | -1 | 0 | 1 | undefined'.

    sum(x, [0, 2]);
               ^
    Type '2' is not assignable to type '-2 | -1 | 0 | 1'.

    transpose(x, 0, 2);
                    ^
    Argument of type '2' is not assignable to parameter of type '-2 | -1 | 0 | 1'.

    reshape(x, ['N', 12, 32]);
               ^
    Argument of type '["N", 12, 32]' is not assignable to parameter of type 'readonly ["N", 12, 32] & "reshape: [N, 768] and [N, 12, 32] have different numbers of elements"'.
      Type '["N", 12, 32]' is not assignable to type '"reshape: [N, 768] and [N, 12, 32] have different numbers of elements"'.

    reshape(x, ['M', 768]);
               ^
    Argument of type '["M", 768]' is not assignable to parameter of type 'readonly ["M", 768] & "reshape: [N, 768] and [M, 768] have different numbers of elements"'.
      Type '["M", 768]' is not assignable to type '"reshape: [N, 768] and [M, 768] have different numbers of elements"'.

    permute(heads, [0, 1]);
                   ^
    Argument of type '[0, 1]' is not assignable to parameter of type 'readonly [0, 1] & "permute: [12, N, 64] has 3 axes, got 2"'.
      Type '[0, 1]' is not assignable to type '"permute: [12, N, 64] has 3 axes, got 2"'.

    permute(heads, [0, 1, 1]);
                   ^
    Argument of type '[0, 1, 1]' is not assignable to parameter of type 'readonly [0, 1, 1] & "permute: the axes of [12, N, 64] must each be named once"'.
      Type '[0, 1, 1]' is not assignable to type '"permute: the axes of [12, N, 64] must each be named once"'.

    concat([x, y], 0);
               ^
    Type 'Tensor<["N", 512]>' is not assignable to type 'Tensor<["N", 512]> & "concat: shapes must agree outside axis 0: [N, 768] and [N, 512]"'.
      Type 'Tensor<["N", 512]>' is not assignable to type '"concat: shapes must agree outside axis 0: [N, 768] and [N, 512]"'.

    split(x, 3, 5);
                ^
    Argument of type '5' is not assignable to parameter of type '-2 | -1 | 0 | 1'.

    expand(x, [12, 'N', 512]);
              ^
    Argument of type '[12, "N", 512]' is not assignable to parameter of type 'readonly [12, "N", 512] & "expand: cannot expand [N, 768] to [12, N, 512]"'.
      Type '[12, "N", 512]' is not assignable to type '"expand: cannot expand [N, 768] to [12, N, 512]"'.

    squeeze(x, 1);
            ^
    Argument of type 'Tensor<["N", 768]>' is not assignable to parameter of type 'Tensor<["N", 768]> & "squeeze: expected extent 1 on axis 1, got 768 in [N, 768]"'.
      Type 'Tensor<["N", 768]>' is not assignable to type '"squeeze: expected extent 1 on axis 1, got 768 in [N, 768]"'.

    conv2d(image, param('weight', [8, 3, 3, 3]));
                  ^
    Argument of type 'Tensor<[8, 3, 3, 3]>' is not assignable to parameter of type 'Tensor<readonly [8, 3, 3, 3]> & "conv2d: expected 3 channels for weight [8, 3, 3, 3], got [B, 4, H, W]"'.
      Type 'Tensor<[8, 3, 3, 3]>' is not assignable to type '"conv2d: expected 3 channels for weight [8, 3, 3, 3], got [B, 4, H, W]"'.

    conv2d(x, param('weight', [8, 3, 3, 3]));
           ^
    Argument of type 'Tensor<["N", 768]>' is not assignable to parameter of type 'Tensor<["N", 768]> & "conv2d: expected an image [batch, channels, rows, columns], got [N, 768]"'.
      Type 'Tensor<["N", 768]>' is not assignable to type '"conv2d: expected an image [batch, channels, rows, columns], got [N, 768]"'.

    conv2d(image, param('weight', [8, 4, 3, 3]), param('bias', [4]));
                                                 ^
    Argument of type 'Tensor<[4]>' is not assignable to parameter of type 'Tensor<[4]> & "conv2d: bias: expected [8], got [4]"'.
      Type 'Tensor<[4]>' is not assignable to type '"conv2d: bias: expected [8], got [4]"'.

    groupNorm(image, param('weight', [8]), param('bias', [4]), { groups: 2 });
                     ^
    Argument of type 'Tensor<[8]>' is not assignable to parameter of type 'Tensor<[8]> & "groupNorm: weight: expected [4], got [8]"'.
      Type 'Tensor<[8]>' is not assignable to type '"groupNorm: weight: expected [4], got [8]"'.

    einsum('ij,jk->ik', x, y);
                           ^
    Argument of type 'Tensor<["N", 512]>' is not assignable to parameter of type 'Tensor<["N", 512]> & "einsum: j is 768 in the first operand and N in the second"'.
      Type 'Tensor<["N", 512]>' is not assignable to type '"einsum: j is 768 in the first operand and N in the second"'.

    einsum('ijk,ij->k', x, y);
                        ^
    Argument of type 'Tensor<["N", 768]>' is not assignable to parameter of type 'Tensor<["N", 768]> & "einsum: the equation names 3 axes of [N, 768], which has 2"'.
      Type 'Tensor<["N", 768]>' is not assignable to type '"einsum: the equation names 3 axes of [N, 768], which has 2"'.

    einsum('nc,nd->cd', heads, y);
                        ^
    Argument of type 'Tensor<[12, "N", 64]>' is not assignable to parameter of type 'Tensor<[12, "N", 64]> & "einsum: the equation names 2 axes of [12, N, 64], which has 3"'.
      Type 'Tensor<[12, "N", 64]>' is not assignable to type '"einsum: the equation names 2 axes of [12, N, 64], which has 3"'.

    maskedFill(x, m, 0);
                  ^
    Argument of type 'Tensor<["M", 768]>' is not assignable to parameter of type 'Tensor<["M", 768]> & "maskedFill: cannot broadcast [N, 768] with [M, 768]"'.
      Type 'Tensor<["M", 768]>' is not assignable to type '"maskedFill: cannot broadcast [N, 768] with [M, 768]"'.

    linear(y, transpose(x, 0, 1));
              ^
    Argument of type 'Tensor<[768, "N"]>' is not assignable to parameter of type 'Tensor<readonly [768, "N"]> & "linear: expected last axis N for weight [768, N], got [N, 512]"'.
      Type 'Tensor<[768, "N"]>' is not assignable to type '"linear: expected last axis N for weight [768, N], got [N, 512]"'.

    nn.embedding('wte', x, [100]);
                           ^
    Argument of type '[number]' is not assignable to parameter of type 'readonly [Dim, Dim]'.
      Source has 1 element(s) but target requires 2.

    return nn.linear('fc', input, 3072);
    ^
    Type 'Tensor<["N", 3072]>' is not assignable to type 'Tensor<["N", 768]>'.
      Type '["N", 3072]' is not assignable to type '["N", 768]'.
        Type at position 1 in source is not compatible with type at position 1 in target.
          Type '3072' is not assignable to type '768'.

    block(y);
          ^
    Argument of type 'Tensor<["N", 512]>' is not assignable to parameter of type 'Tensor<["N", 768]>'.
      Type '["N", 512]' is not assignable to type '["N", 768]'.
        Type at position 1 in source is not compatible with type at position 1 in target.
          Type '512' is not assignable to type '768'.
    "
  `);
});
