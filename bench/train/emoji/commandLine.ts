/** The command `pipilo` in a process of its own. */
import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const project = fileURLToPath(new URL('../../..', import.meta.url))

/** The command's words before its own; PIPILO names another program, as a packed folder's `./node cli/main.js`. */
const words = process.env.PIPILO?.split(' ') ?? [
  process.execPath,
  '--import',
  'tsx',
  `${project}src/cli/main.ts`,
]

/** Runs the command; its standard error is ours. */
export function pipilo(...argv: string[]): { seconds: number; out: string } {
  const [program, ...first] = words
  const start = performance.now()
  const out = execFileSync(program!, [...first, ...argv], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 30,
    ...(process.env.PIPILO === undefined && { cwd: project }),
  })
  return { seconds: (performance.now() - start) / 1000, out }
}
