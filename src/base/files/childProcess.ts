// Starting a file of Pipilo's as a child process, from source under any tool and from the built package.
import { type ChildProcess, fork } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { PipiloError } from '../errors.ts'

/**
 * Forks a file that lies beside another. Its standard error is piped, messages are serialized as between threads.
 *
 * @param beside `import.meta.url` of the other
 * @param name the file's, without its ending
 * @throws PipiloError `RUNTIME` where no child can be started: the program is not Node itself, or may not start any
 */
export function forkFile(beside: string, name: string): ChildProcess {
  const source = beside.endsWith('.ts')
  const entry = fileURLToPath(new URL(`./${name}.${source ? 'ts' : 'js'}`, beside))
  // Another program (Electron, a single binary) would start itself again.
  if (!/^node(?:js)?[\d.-]*(?:\.exe)?$/i.test(basename(process.execPath)) || 'pkg' in process)
    throw cannotStart('it is not Node')
  try {
    return fork(entry, [], {
      // Flags of the caller's own program (`--inspect`, `--test`) are not for it.
      execArgv: source && !(process.features as { typescript?: unknown }).typescript ? loader() : [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
  } catch (error) {
    throw cannotStart((error as Error).message, error)
  }
}

/** Characters kept of what a library prints as it dies. */
const LAST_WORDS = 400

/**
 * Listens to a child's standard error, and tells the last line of it: ` (…)` to stand behind why it ended, or nothing.
 *
 * @example
 * ```ts
 * const lastWords = hearLastWords(child)
 * child.on('close', (code) => report(`exit code ${code}${lastWords()}`))   // 'exit code 134 (terminate called)'
 * ```
 *
 * @remarks `close` comes behind the last of its output, `exit` does not.
 */
export function hearLastWords(child: ChildProcess): () => string {
  let words = ''
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    words = (words + text).slice(-LAST_WORDS)
  })
  return () => {
    const line = words.trim().split('\n').at(-1)
    return line ? ` (${line})` : ''
  }
}

/** Lets a child keep the caller's process alive, or not. */
export function keepAlive(child: ChildProcess, how: 'ref' | 'unref'): void {
  child[how]()
  child.channel?.[how]()
  ;(child.stderr as (NodeJS.ReadableStream & { ref(): void; unref(): void }) | null)?.[how]()
}

/**
 * Makes this process one that {@link forkFile} started: it ends with its parent, and before it.
 *
 * @param name of the file, which is no entry of another process
 */
export function serveParent(name: string): void {
  if (!process.send) throw new Error(`${name} is the entry of a child process.`)
  // Its parent has ended, was killed, or has let it go: nothing may go on for nobody, whatever the library is doing.
  process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
  // Ctrl+C is for the parent, which may finish what it does.
  process.on('SIGINT', () => {})
  try {
    // Linux, where memory runs out, ends this process and not its parent.
    writeFileSync('/proc/self/oom_score_adj', '1000')
  } catch {
    // Other systems choose for themselves.
  }
}

/** Milliseconds between two looks at a process's memory. */
const OFTEN = 20

/**
 * Looks at this process's memory again and again, and says once that it has become more than `bytes`.
 *
 * @example
 * ```ts
 * const stop = watchMemory(2e9, () => process.exit(1))
 * ```
 *
 * @param bytes of resident memory
 * @returns ends it
 */
export function watchMemory(bytes: number, onMore: () => void): () => void {
  const watch = setInterval(() => {
    if (process.memoryUsage.rss() <= bytes) return
    clearInterval(watch)
    onMore()
  }, OFTEN)
  return () => clearInterval(watch)
}

function cannotStart(why: string, cause?: unknown): PipiloError {
  const name = basename(process.execPath)
  return new PipiloError('RUNTIME', `${name} could not start a child process: ${why}.`, {
    hint: 'Run it under Node, with leave to start processes.',
    cause,
  })
}

/** Flags that make Node 20 read TypeScript. */
function loader(): string[] {
  const folder = dirname(createRequire(import.meta.url).resolve('tsx/package.json'))
  return ['--import', pathToFileURL(join(folder, 'dist/loader.mjs')).href]
}
