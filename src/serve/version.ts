// Pipilo's version, found from src/serve/ as from dist/serve/.
import { readFileSync } from 'node:fs'

export const version = (): string =>
  JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version
