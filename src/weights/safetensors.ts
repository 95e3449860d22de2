import { UserError } from '../errors.ts';
import { encodingOf, READ_TYPES, widthOf } from './convert.ts';
import { duplicateKey } from './duplicate-key.ts';
import { elementsOf, type StateDict, type StoredTensor } from './tensor.ts';

/** A safetensors file: tensors in file order and the free-form text of its `__metadata__`. */
export interface Safetensors {
  /** Name used in messages. */
  readonly file: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly tensors: StateDict;
}

/** Where the bytes come from, so that large files need not be in memory at once. */
export interface ByteSource {
  readonly size: number;
  read(start: number, stop: number): Uint8Array;
}

const MAX_HEADER_BYTES = 100_000_000;
const LENGTH_BYTES = 8;

/**
 * Reads the header of a safetensors file and checks every extent in it; elements are converted by `load()`.
 * F32, F16 and BF16 become f32; I32 and I64 become i32.
 *
 * @param file name for messages
 * @throws UserError naming the file and the fault, for anything the format does not allow
 */
export function parseSafetensors(bytes: Uint8Array | ByteSource, file = 'safetensors'): Safetensors {
  const source: ByteSource =
    bytes instanceof Uint8Array
      ? { size: bytes.byteLength, read: (start, stop) => bytes.subarray(start, stop) }
      : bytes;
  const fail = (message: string): never => {
    throw new UserError(`${file}: ${message}`);
  };
  if (source.size < LENGTH_BYTES)
    fail(`truncated: ${source.size} bytes, but a safetensors file starts with an 8-byte header length`);
  const prefix = source.read(0, LENGTH_BYTES);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  if (length > BigInt(MAX_HEADER_BYTES))
    fail(`header length ${length} is above 100 MB; this is not a safetensors file, or it is damaged`);
  const dataStart = LENGTH_BYTES + Number(length);
  if (dataStart > source.size)
    fail(`truncated: the header takes ${length} bytes, the file has ${source.size - LENGTH_BYTES} after it`);

  const header = parseHeader(source.read(LENGTH_BYTES, dataStart), fail);
  const { __metadata__, ...entries } = header;
  const parsed = Object.entries(entries).map(([name, entry]) => parseEntry(name, entry, fail));
  checkExtents(parsed, source.size - dataStart, fail);
  const tensors = new Map<string, StoredTensor>();
  for (const entry of parsed)
    tensors.set(entry.name, {
      storedAs: entry.storedAs,
      shape: entry.shape,
      load: () => {
        const refuse = (message: string): never => fail(`tensor "${entry.name}": ${message}`);
        const encoding = encodingOf(entry.storedAs);
        if (!encoding) return refuse(`${entry.storedAs} cannot be read; convert it to ${READ_TYPES}`);
        const raw = source.read(dataStart + entry.begin, dataStart + entry.end);
        const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
        const data = encoding.decode(view, elementsOf(entry.shape), refuse);
        return { dtype: encoding.dtype, shape: entry.shape, data };
      },
    });
  return { file, metadata: parseMetadata(__metadata__, fail), tensors };
}

type Fail = (message: string) => never;

interface Entry {
  readonly name: string;
  readonly storedAs: string;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function parseHeader(bytes: Uint8Array, fail: Fail): Record<string, unknown> {
  let text: string;
  let header: unknown;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    header = JSON.parse(text);
  } catch (error) {
    return fail(`the header is not JSON (${(error as Error).message})`);
  }
  if (!isObject(header)) return fail('the header is not a JSON object of tensors');
  const twice = duplicateKey(text);
  if (twice !== undefined) fail(`tensor "${twice}" is listed twice`);
  return header;
}

function parseMetadata(value: unknown, fail: Fail): Readonly<Record<string, string>> {
  if (value === undefined) return {};
  if (!isObject(value) || !Object.values(value).every((text) => typeof text === 'string'))
    return fail('"__metadata__" is not an object of strings');
  return value as Record<string, string>;
}

function parseEntry(name: string, entry: unknown, fail: Fail): Entry {
  const refuse = (message: string): never => fail(`tensor "${name}": ${message}`);
  if (!isObject(entry)) return refuse('its header entry is not an object');
  const { dtype, shape, data_offsets: offsets } = entry;
  const isExtent = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;
  if (typeof dtype !== 'string') return refuse('dtype is missing or not a string');
  const width = widthOf(dtype);
  if (width === undefined) return refuse(`unknown dtype ${JSON.stringify(dtype)}; known: ${READ_TYPES}`);
  if (!Array.isArray(shape) || !shape.every(isExtent))
    return refuse(`shape ${JSON.stringify(shape)} is not a list of non-negative integers`);
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isExtent))
    return refuse(`data_offsets ${JSON.stringify(offsets)} is not a pair of non-negative integers`);
  const [begin, end] = offsets as [number, number];
  const bytes = elementsOf(shape) * width;
  if (end - begin !== bytes)
    refuse(
      `data_offsets [${begin}, ${end}] span ${end - begin} bytes, but [${shape.join(', ')}] ${dtype} takes ${bytes}`,
    );
  return { name, storedAs: dtype, shape, begin, end };
}

/** The tensors must cover the data exactly once. */
function checkExtents(entries: readonly Entry[], dataBytes: number, fail: Fail): void {
  let covered = 0;
  let previous = 'the header';
  for (const { name, begin, end } of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (end > dataBytes)
      fail(
        `truncated: tensor "${name}" ends at data byte ${end}, but the file has ${dataBytes} bytes of data`,
      );
    if (begin < covered)
      fail(
        `tensor "${name}" starts at data byte ${begin} and overlaps ${previous}, which ends at ${covered}`,
      );
    if (begin > covered)
      fail(`${begin - covered} bytes between ${previous} and tensor "${name}" belong to no tensor`);
    covered = end;
    previous = `tensor "${name}"`;
  }
  if (covered !== dataBytes) fail(`${dataBytes - covered} bytes after ${previous} belong to no tensor`);
}
