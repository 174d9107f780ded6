import { rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'

/** The cache of a run of the tests. */
export const cacheDir = fileURLToPath(new URL('../node_modules/.cache/pipilo', import.meta.url))

/** Vitest calls it before a run, and what it returns afterwards. */
export default function setup(): () => void {
  const clear = () => rmSync(cacheDir, { recursive: true, force: true })
  clear()
  return clear
}
