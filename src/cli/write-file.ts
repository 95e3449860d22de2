import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { UserError } from '../errors.ts';

/**
 * Writes a file whole or not at all: into a temporary file beside it, then renamed. Folders are made as needed, and
 * removed again when the write fails.
 *
 * @throws UserError naming the path and the system's reason.
 */
export function writeFileAtomically(path: string, content: string | Uint8Array): void {
  const target = resolve(path);
  const folder = dirname(target);
  const temporary = join(folder, `.autochunk-${process.pid}-${Date.now()}.tmp`);
  let made: string | undefined;
  try {
    made = mkdirSync(folder, { recursive: true });
    writeFileSync(temporary, content, { flag: 'wx' });
    renameSync(temporary, target);
  } catch (cause) {
    for (const leftover of made === undefined ? [temporary] : [temporary, made]) {
      try {
        rmSync(leftover, { recursive: true, force: true });
      } catch {
        // The first failure is the one to report.
      }
    }
    throw new UserError(`cannot write ${path}: ${systemReason(cause)}`, { cause });
  }
}

const REASONS: Readonly<Record<string, string>> = {
  EACCES: 'permission denied',
  EPERM: 'operation not permitted',
  EROFS: 'the file system is read-only',
  ENOTDIR: 'a part of the path is a file, not a folder',
  EEXIST: 'a part of the path is a file, not a folder',
  EISDIR: 'it is a folder',
  ENOSPC: 'no space left',
  ENOENT: 'no such file or folder',
};

/** Why a file operation failed, in words. */
export function systemReason(error: unknown): string {
  const code = (error as { code?: unknown } | undefined)?.code;
  if (typeof code === 'string' && REASONS[code] !== undefined) return REASONS[code];
  return error instanceof Error ? error.message : String(error);
}
