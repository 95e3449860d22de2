import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PNG } from 'pngjs';
import { beforeAll, describe, expect, test } from 'vitest';
import { encodeSafetensors, readSafetensors, type WeightTensor } from '../../src/weights/index.ts';
import { huggingFaceTokenizer } from '../support/hf-tokenizer.ts';
import { root, useCli } from './support.ts';

const cli = useCli();
const model = (name: string): string => join(root, 'models', name, 'model.ts');
const QUICK = ['--backend', 'cpu', '--repeat', '1'];

const fixture = (path: string): Map<string, WeightTensor> =>
  new Map([...readSafetensors(join(root, path)).tensors].map(([name, tensor]) => [name, tensor.load()]));
const parameters = (tensors: Map<string, WeightTensor>): [string, WeightTensor][] =>
  [...tensors].filter(([name]) => !/^(input|output)\./.test(name));

const stories = fixture('models/llama/stories260K/stories260K.safetensors');
const gpt2 = fixture('test/fixtures/gpt2-tiny.safetensors');
const vit = fixture('test/fixtures/vit-tiny.safetensors');

const STORIES_CONFIG = {
  model_type: 'llama',
  vocab_size: 512,
  hidden_size: 64,
  intermediate_size: 172,
  num_hidden_layers: 5,
  num_attention_heads: 8,
  num_key_value_heads: 4,
  max_position_embeddings: 512,
  rms_norm_eps: 1e-5,
  tie_word_embeddings: true,
};
const GPT2_CONFIG = {
  model_type: 'gpt2',
  vocab_size: 128,
  n_positions: 96,
  n_embd: 64,
  n_layer: 2,
  n_head: 4,
};
const VIT_CONFIG = {
  model_type: 'vit',
  image_size: 32,
  patch_size: 4,
  num_channels: 3,
  hidden_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  intermediate_size: 128,
  hidden_act: 'gelu',
  layer_norm_eps: 1e-12,
  qkv_bias: true,
  id2label: Object.fromEntries(Array.from({ length: 10 }, (_, i) => [i, `class ${i}`])),
};

/** A safetensors file of half-precision numbers, as most checkpoints are. */
function encodeHalf(tensors: readonly [string, WeightTensor][]): Uint8Array {
  const header: Record<string, object> = {};
  const words: number[] = [];
  for (const [name, { shape, data }] of tensors) {
    const begin = 2 * words.length;
    for (const value of data) words.push(half(value));
    header[name] = { dtype: 'F16', shape, data_offsets: [begin, 2 * words.length] };
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.from(Uint16Array.from(words).buffer)]);
}

/** The f16 nearest to zero of those next to `value`, which must be in the normal range or small. */
function half(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] as number;
  const exponent = ((bits >>> 23) & 0xff) - 112;
  const sign = (bits >>> 16) & 0x8000;
  return exponent <= 0 ? sign : sign | (exponent << 10) | ((bits >>> 13) & 0x3ff);
}

function writeShards(folder: string, tensors: readonly [string, WeightTensor][], count: number): void {
  const map: Record<string, string> = {};
  for (let shard = 0; shard < count; shard++) {
    const name = `model-0000${shard + 1}-of-0000${count}.safetensors`;
    const part = tensors.filter((_, i) => i % count === shard);
    for (const [key] of part) map[key] = name;
    cli.write(`${folder}/${name}`, encodeSafetensors(new Map(part)));
  }
  cli.write(`${folder}/model.safetensors.index.json`, JSON.stringify({ metadata: {}, weight_map: map }));
}

interface Document {
  readonly dims: Record<string, number>;
  readonly identical: boolean;
  readonly chunked: { plannedPeakBytes: number; measuredPeakBytes: number };
  readonly outputs: { name: string; shape: number[] }[];
  readonly predictions: { of: string; list: { id: number; text: string; probability: number }[] } | null;
}

async function runJson(...argv: string[]): Promise<Document> {
  const ran = await cli.run('run', ...argv, ...QUICK, '--json');
  expect(ran.stderr).not.toContain('error:');
  expect(ran.code).toBe(0);
  const document = JSON.parse(ran.stdout) as Document;
  expect(document.identical).toBe(true);
  expect(document.chunked.measuredPeakBytes).toBe(document.chunked.plannedPeakBytes);
  return document;
}

async function refusal(code: 1 | 2, ...argv: string[]): Promise<string> {
  const ran = await cli.run('run', ...argv, ...QUICK);
  expect(ran.code).toBe(code);
  expect(ran.stdout).toBe('');
  return ran.stderr.slice(ran.stderr.indexOf('error: ') + 'error: '.length).trimEnd();
}

const image = new PNG({ width: 48, height: 40 });
for (let i = 0; i < image.data.length; i++) image.data[i] = (i * 7919) % 256;
const png = PNG.sync.write(image);

beforeAll(() => {
  writeShards('stories', parameters(stories), 3);
  cli.write('stories/config.json', JSON.stringify(STORIES_CONFIG));
  const tokenizer = huggingFaceTokenizer(join(root, 'models/llama/stories260K/tok512.bin'));
  cli.write('stories/tokenizer.json', JSON.stringify(tokenizer));
  const prefixed = parameters(gpt2).map(([name, tensor]): [string, WeightTensor] => [
    `transformer.${name}`,
    tensor,
  ]);
  cli.write('gpt2/model.safetensors', encodeSafetensors(new Map(prefixed)));
  cli.write('gpt2/config.json', JSON.stringify(GPT2_CONFIG));
  cli.write('half/model.safetensors', encodeHalf(prefixed));
  cli.write('half/config.json', JSON.stringify(GPT2_CONFIG));
  cli.write('ids.json', JSON.stringify([...(gpt2.get('input.tokens') as WeightTensor).data]));
  cli.write('vit/model.safetensors', encodeSafetensors(new Map(parameters(vit))));
  cli.write('vit/config.json', JSON.stringify(VIT_CONFIG));
  cli.write('noise.png', png);
});

describe('a downloaded folder', () => {
  test('Llama in shards: a text in, the next tokens out, as its training story has them', async () => {
    const text = 'Once upon a time, there was a little girl named';
    const document = await runJson(model('llama'), '--weights', 'stories', '--text', text);
    expect(document.dims).toEqual({ N: 14 });
    expect(document.outputs).toMatchObject([{ name: 'logits', shape: [1, 512] }]);
    const ids = stories.get('input.tokens')!.data;
    expect(document.predictions?.of).toBe('next token');
    expect(document.predictions?.list[0]).toMatchObject({ id: ids[14], text: ' Lily' });
    expect(document.predictions?.list).toHaveLength(5);
  });

  test('logits of all positions, a tokenizer named, a plain report', async () => {
    const argv = [`${model('llama')}#fromConfigAllLogits`, '--config', 'stories', '--weights', 'stories'];
    const ran = await cli.run('run', ...argv, '--text', 'Once upon a', '--tokenizer', 'stories', ...QUICK);
    expect(ran.code).toBe(0);
    expect(ran.stdout).toContain('logits f32[4, 512]');
    expect(ran.stdout).toMatch(/likeliest next token:\n +\d+\.\d % {2}" time" \(\d+\)\n/);
  });

  test('GPT-2 with prefixed names, in full and in half precision', async () => {
    for (const folder of ['gpt2', 'half']) {
      const document = await runJson(model('gpt2'), '--weights', folder, '--input', 'tokens=ids.json');
      expect(document.dims).toEqual({ N: 80 });
      expect(document.predictions).toBeNull();
    }
    const out = cli.path('out.safetensors');
    await runJson(model('gpt2'), '--weights', 'gpt2', '--input', 'tokens=ids.json', '--out', out);
    const logits = readSafetensors(out).tensors.get('logits')!.load().data;
    const reference = gpt2.get('output.logits')!.data.subarray(-128);
    logits.forEach((logit, i) => {
      expect(Math.abs(logit - reference[i]!)).toBeLessThan(5e-5);
    });
  });

  test('a compiled module takes the same folder', async () => {
    const compiled = await cli.run(
      'compile',
      model('gpt2'),
      '--config',
      'gpt2',
      '--dims',
      'N=80',
      '--out',
      'm.ts',
    );
    expect(compiled.code).toBe(0);
    const ran = await cli.run('run', 'm.ts', '--weights', 'gpt2', '--input', 'tokens=ids.json', ...QUICK);
    expect(ran.stderr).not.toContain('error:');
    expect(ran.code).toBe(0);
  });

  test('ViT: an image in, class names out', async () => {
    const document = await runJson(model('vit'), '--weights', 'vit', '--input', 'pixel_values=noise.png');
    expect(document.dims).toEqual({ B: 1 });
    expect(document.predictions?.of).toBe('class');
    const [best] = document.predictions!.list;
    expect(best?.text).toBe(`class ${best?.id}`);
    expect(
      document.predictions!.list.reduce((sum, { probability }) => sum + probability, 0),
    ).toBeLessThanOrEqual(1);
  });
});

describe('a wrong checkpoint gets one complete report', () => {
  const write = (folder: string, tensors: readonly [string, WeightTensor][], config: object): void => {
    cli.write(`${folder}/model.safetensors`, encodeSafetensors(new Map(tensors)));
    cli.write(`${folder}/config.json`, JSON.stringify(config));
  };
  const report = (folder: string) =>
    refusal(1, model('gpt2'), '--weights', folder, '--input', 'tokens=ids.json');

  test('of another width', async () => {
    write('wide', parameters(gpt2), { ...GPT2_CONFIG, n_embd: 128 });
    expect(await report('wide')).toMatchInlineSnapshot(`
      "wide/model.safetensors do not fit the model (28 of 28 parameters found)
        of another shape (28):
          wte.weight: expected [128, 128], got [128, 64]
          wpe.weight: expected [96, 128], got [96, 64]
          h.{0-1}.ln_1.weight: expected [128], got [64]
          h.{0-1}.ln_1.bias: expected [128], got [64]
          h.{0-1}.attn.c_attn.weight: expected [128, 384], got [64, 192]
          h.{0-1}.attn.c_attn.bias: expected [384], got [192]
          h.{0-1}.attn.c_proj.weight: expected [128, 128], got [64, 64]
          h.{0-1}.attn.c_proj.bias: expected [128], got [64]
          h.{0-1}.ln_2.weight: expected [128], got [64]
          h.{0-1}.ln_2.bias: expected [128], got [64]
          h.{0-1}.mlp.c_fc.weight: expected [128, 512], got [64, 256]
          h.{0-1}.mlp.c_fc.bias: expected [512], got [256]
          h.{0-1}.mlp.c_proj.weight: expected [512, 128], got [256, 64]
          h.{0-1}.mlp.c_proj.bias: expected [128], got [64]
          ln_f.weight: expected [128], got [64]
          ln_f.bias: expected [128], got [64]"
    `);
  });

  test('without a layer, and with one too many', async () => {
    write('shallow', parameters(gpt2), { ...GPT2_CONFIG, n_layer: 4 });
    expect(await report('shallow')).toMatchInlineSnapshot(`
      "shallow/model.safetensors do not fit the model (28 of 52 parameters found)
        missing (24):
          h.{2-3}.ln_1.weight [64]
          h.{2-3}.ln_1.bias [64]
          h.{2-3}.attn.c_attn.weight [64, 192]
          h.{2-3}.attn.c_attn.bias [192]
          h.{2-3}.attn.c_proj.weight [64, 64]
          h.{2-3}.attn.c_proj.bias [64]
          h.{2-3}.ln_2.weight [64]
          h.{2-3}.ln_2.bias [64]
          h.{2-3}.mlp.c_fc.weight [64, 256]
          h.{2-3}.mlp.c_fc.bias [256]
          h.{2-3}.mlp.c_proj.weight [256, 64]
          h.{2-3}.mlp.c_proj.bias [64]"
    `);
    write('deep', parameters(gpt2), { ...GPT2_CONFIG, n_layer: 1 });
    expect(await report('deep')).toMatchInlineSnapshot(`
      "deep/model.safetensors do not fit the model (16 of 16 parameters found)
        unexpected (12):
          h.1.ln_1.weight [64]
          h.1.ln_1.bias [64]
          h.1.attn.c_attn.weight [64, 192]
          h.1.attn.c_attn.bias [192]
          h.1.attn.c_proj.weight [64, 64]
          h.1.attn.c_proj.bias [64]
          h.1.ln_2.weight [64]
          h.1.ln_2.bias [64]
          h.1.mlp.c_fc.weight [64, 256]
          h.1.mlp.c_fc.bias [256]
          h.1.mlp.c_proj.weight [256, 64]
          h.1.mlp.c_proj.bias [64]"
    `);
  });

  test('of another model', async () => {
    write('other', parameters(stories), GPT2_CONFIG);
    expect(await report('other')).toMatchInlineSnapshot(`
      "other/model.safetensors do not fit the model (0 of 28 parameters found)
        missing (28):
          wte.weight [128, 64]
          wpe.weight [96, 64]
          h.{0-1}.ln_1.weight [64]
          h.{0-1}.ln_1.bias [64]
          h.{0-1}.attn.c_attn.weight [64, 192]
          h.{0-1}.attn.c_attn.bias [192]
          h.{0-1}.attn.c_proj.weight [64, 64]
          h.{0-1}.attn.c_proj.bias [64]
          h.{0-1}.ln_2.weight [64]
          h.{0-1}.ln_2.bias [64]
          h.{0-1}.mlp.c_fc.weight [64, 256]
          h.{0-1}.mlp.c_fc.bias [256]
          h.{0-1}.mlp.c_proj.weight [256, 64]
          h.{0-1}.mlp.c_proj.bias [64]
          ln_f.weight [64]
          ln_f.bias [64]
        unexpected (47):
          model.embed_tokens.weight [512, 64]
          model.layers.{0-4}.self_attn.q_proj.weight [64, 64]
          model.layers.{0-4}.self_attn.k_proj.weight [32, 64]
          model.layers.{0-4}.self_attn.v_proj.weight [32, 64]
          model.layers.{0-4}.self_attn.o_proj.weight [64, 64]
          model.layers.{0-4}.mlp.gate_proj.weight [172, 64]
          model.layers.{0-4}.mlp.up_proj.weight [172, 64]
          model.layers.{0-4}.mlp.down_proj.weight [64, 172]
          model.layers.{0-4}.input_layernorm.weight [64]
          model.layers.{0-4}.post_attention_layernorm.weight [64]
          model.norm.weight [64]"
    `);
    expect(await refusal(1, model('gpt2'), '--weights', 'stories', '--input', 'tokens=ids.json')).toBe(
      'stories/config.json: model_type is "llama", this model takes "gpt2"',
    );
  });

  test('in shards of which one is missing', async () => {
    writeShards('partial', parameters(gpt2), 3);
    const index = JSON.parse(cli.read('partial/model.safetensors.index.json')) as { weight_map: object };
    const map = Object.fromEntries(
      Object.entries(index.weight_map).map(([key, shard]) => [
        key,
        String(shard).replace('00002-of', '00004-of'),
      ]),
    );
    cli.write('partial/model.safetensors.index.json', JSON.stringify({ weight_map: map }));
    expect(await report('partial')).toMatchInlineSnapshot(`
      "partial/model.safetensors.index.json: the checkpoint is incomplete (2 of 3 shards can be read)
        missing shards (1):
          model-00004-of-00003.safetensors   (9 tensors: wpe.weight, h.0.attn.c_attn.weight, h.0.attn.c_proj.bias, …)"
    `);
  });
});

describe('faults of inputs', () => {
  test('texts', async () => {
    const run = (...argv: string[]) => refusal(2, model('gpt2'), '--weights', 'gpt2', ...argv);
    expect(await run('--text', 'hi')).toBe(
      '--text: there is no tokenizer.json beside the weights: name one with --tokenizer, or give ids with --input',
    );
    expect(await run('--text', 'hi', '--tokenizer', 'stories', '--input', 'tokens=[1]')).toBe(
      '--input: tokens is given twice',
    );
    cli.write('broken.json', '{"model": {"type": "BPE"}}');
    const weights = ['--weights', 'gpt2', '--text', 'hi', '--tokenizer'];
    expect(await refusal(1, model('gpt2'), ...weights, 'broken.json')).toMatch(
      /^broken\.json: damaged, or of a kind that cannot be read: /,
    );
    expect(await refusal(1, model('gpt2'), ...weights, 'vit')).toBe('vit has no tokenizer.json');
    expect(await refusal(1, model('gpt2'), ...weights, 'gone.json')).toBe(
      'there is no file or folder gone.json',
    );
    expect(await refusal(1, model('gpt2'), ...weights, 'stories', '--dims', 'N=20')).toMatch(
      /^input tokens: expected shape \[20\], got \[\d\] from the \d tokens of --text$/,
    );
  });

  test('images', async () => {
    const run = (value: string, code: 1 | 2 = 1) =>
      refusal(code, model('vit'), '--weights', 'vit', '--input', `pixel_values=${value}`);
    cli.write('text.png', 'not an image');
    expect(await run('text.png')).toBe('text.png: neither a PNG nor a JPEG image');
    cli.write('cut.png', png.subarray(0, 200));
    expect(await run('cut.png')).toMatch(/^cut\.png: the image is damaged or of an unsupported kind: /);
    cli.write('cut.jpg', new Uint8Array([0xff, 0xd8, 0xff, 0xdb, 0, 3]));
    expect(await run('cut.jpg')).toMatch(/^cut\.jpg: the image is damaged or of an unsupported kind: /);
    expect(await run('gone.jpg', 2)).toBe('--input pixel_values: there is no file gone.jpg');
    expect(
      await refusal(1, model('gpt2'), '--weights', 'gpt2', '--dims', 'N=4', '--input', 'tokens=noise.png'),
    ).toBe('input tokens: an image is f32[1, 3, height, width], expected i32[4]; got noise.png');
  });

  test('settings of the preprocessor', async () => {
    cli.write('strange/model.safetensors', readFileSync(cli.path('vit/model.safetensors')));
    cli.write('strange/config.json', JSON.stringify(VIT_CONFIG));
    cli.write(
      'strange/preprocessor_config.json',
      JSON.stringify({ resample: 1, image_mean: [0.5], image_std: [0, 1, 1], do_resize: 'yes', size: {} }),
    );
    expect(
      await refusal(1, model('vit'), '--weights', 'strange', '--input', 'pixel_values=noise.png'),
    ).toMatchInlineSnapshot(`
      "strange/preprocessor_config.json cannot be used
        wrong (3):
          do_resize: expected true or false, got "yes"
          image_mean: expected three numbers, got [0.5]
          image_std: must not be 0
        not supported (1):
          resample: 1 is not supported; supported: 2 (bilinear), 3 (bicubic)"
    `);
  });

  test('a config', async () => {
    const small = `${model('gpt2')}#gpt2Small`;
    expect(await refusal(2, small, '--config', 'gpt2', '--dims', 'N=4')).toContain(
      '#gpt2Small is a model whose sizes',
    );
    expect(await refusal(2, model('gpt2'), '--config', 'gone', '--dims', 'N=4')).toBe(
      '--config: there is no gone',
    );
    cli.write('bad/config.json', '{');
    expect(await refusal(1, model('gpt2'), '--config', 'bad', '--dims', 'N=4')).toMatch(
      /^bad\/config\.json: not JSON \(/,
    );
  });
});
