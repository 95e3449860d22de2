/** Imports a package of this folder, which is no part of the project's own dependencies. */
export const loadPeer = (name) => import(name);
