// Files of the package beside its code, found from src/cli/ as from dist/cli/, where the build puts each room into one folder.
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The folder of the sample sentences and pictures. */
export const samples = fileURLToPath(new URL('../../samples', import.meta.url))

/** Pipilo's version. */
export const version = (): string =>
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
