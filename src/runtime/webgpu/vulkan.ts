/**
 * Whether the Vulkan loader could find a driver on this Linux host, by the places it looks (Vulkan loader interface,
 * "Driver Discovery on Linux"). Asked before Dawn is loaded: without a driver Dawn prints warnings on stderr.
 */
export async function hasVulkanDriver(
  environment: Readonly<Record<string, string | undefined>>,
): Promise<boolean> {
  const named = ['VK_DRIVER_FILES', 'VK_ICD_FILENAMES', 'VK_ADD_DRIVER_FILES'];
  if (named.some((name) => environment[name])) return true;
  // A variable keeps bundlers for the browser from following the import.
  const moduleName = 'node:fs';
  const { readdirSync } = (await import(/* @vite-ignore */ moduleName)) as typeof import('node:fs');
  return driverFolders(environment).some((folder) => {
    try {
      return readdirSync(folder).some((file) => file.endsWith('.json'));
    } catch {
      return false;
    }
  });
}

function driverFolders(environment: Readonly<Record<string, string | undefined>>): string[] {
  const home = environment.HOME;
  const roots = [
    environment.XDG_CONFIG_HOME ?? (home && `${home}/.config`),
    ...(environment.XDG_CONFIG_DIRS ?? '/etc/xdg').split(':'),
    '/etc',
    '/usr/local/etc',
    environment.XDG_DATA_HOME ?? (home && `${home}/.local/share`),
    ...(environment.XDG_DATA_DIRS ?? '/usr/local/share:/usr/share').split(':'),
    '/usr/local/share',
    '/usr/share',
  ];
  return roots.flatMap((root) => (root ? `${root}/vulkan/icd.d` : []));
}
