import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const project = fileURLToPath(new URL('..', import.meta.url))
export const samples = join(project, 'samples')
const main = join(project, 'dist/cli/main.js')

export interface Ended {
  status: number | null
  stdout: string
  stderr: string
}

export interface Started {
  readonly ended: Promise<Ended>
  kill(signal: NodeJS.Signals): void
  /** Writes to standard input, which stays open. */
  write(text: string): void
  /** Resolves when standard output or error holds the text. */
  prints(text: string): Promise<void>
}

/** Starts the built command line in a process of its own. */
export function start(
  args: readonly string[],
  { cwd, input, env = {} }: { cwd: string; input?: string | Uint8Array | null; env?: NodeJS.ProcessEnv },
): Started {
  const child = spawn(process.execPath, [main, ...args], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', ...env },
  })
  const read = { stdout: '', stderr: '' }
  let look = () => {}
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8').on('data', (text: string) => {
      read[name] += text
      look()
    })
  }
  // null leaves standard input open.
  if (input !== null) child.stdin.end(input ?? '')
  const ended = new Promise<Ended>((resolve) => child.on('close', (status) => resolve({ status, ...read })))
  return {
    ended,
    kill: (signal) => void child.kill(signal),
    write: (text) => void child.stdin.write(text),
    prints: (text) =>
      new Promise((resolve, reject) => {
        look = () => {
          if (read.stdout.includes(text) || read.stderr.includes(text)) resolve()
        }
        look()
        ended.then((end) => reject(new Error(`ended without printing ${text}: ${JSON.stringify(end)}`)))
      }),
  }
}

/** Runs the built command line to its end. */
export const pipilo = (
  args: readonly string[],
  options: { cwd: string; input?: string | Uint8Array; env?: NodeJS.ProcessEnv },
): Promise<Ended> => start(args, options).ended

/** An empty folder that goes with the test. */
export function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'pipilo-test-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** The JSON lines of an output. */
export const lines = <Line>(text: string): Line[] =>
  text
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line)
