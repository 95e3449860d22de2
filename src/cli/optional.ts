import { UserError } from '../errors.ts';

/**
 * Loads a package that is only needed for some inputs, and that an installation may leave out.
 *
 * @param load calls `import()`
 * @throws UserError saying what to install
 */
export async function importOptional<Module>(
  load: () => Promise<Module>,
  name: string,
  purpose: string,
): Promise<Module> {
  try {
    return await load();
  } catch (cause) {
    throw new UserError(
      `${purpose} need the package ${name}, which cannot be loaded: run npm install ${name}`,
      {
        cause,
      },
    );
  }
}
