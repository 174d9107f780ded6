// Runs benchmark programs in processes of their own, and measures time, memory and the event loop in them.
import { spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * Runs a program of this folder in a process of its own and returns the JSON object that it prints last.
 * The process learns in `SPAWNED` when it was started (milliseconds since the epoch).
 */
export async function measure<Result>(
  program: string,
  args: string[] = [],
  input?: unknown,
): Promise<Result> {
  const path = fileURLToPath(new URL(program, import.meta.url))
  const loader = path.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : []
  const child = spawn(process.execPath, [...loader, path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, SPAWNED: String(Date.now()) },
  })
  child.stdin.end(input === undefined ? '' : JSON.stringify(input))
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  const status = await new Promise((resolve) => child.on('close', resolve))
  if (status !== 0) throw new Error(`${program} ended with status ${status}`)
  return JSON.parse(out.trim().split('\n').at(-1)!)
}

/** Standard input as JSON. */
export async function readInput<Input>(): Promise<Input> {
  let text = ''
  for await (const chunk of process.stdin.setEncoding('utf8')) text += chunk
  return JSON.parse(text)
}

/** The longest that the event loop was late, in milliseconds, between the call and `stop()`. */
export function watchEventLoop(): { stop(): number } {
  let worst = 0
  let last = performance.now()
  const timer = setInterval(() => {
    const now = performance.now()
    worst = Math.max(worst, now - last - 1)
    last = now
  }, 1)
  return {
    stop() {
      worst = Math.max(worst, performance.now() - last - 1)
      clearInterval(timer)
      return worst
    },
  }
}

/** Peak resident memory of this process so far, in MB. */
export const peakMemory = (): number => process.resourceUsage().maxRSS / 1024

/** Best of `runs` timings of `work`, in milliseconds, after one run to warm up. */
export async function best(runs: number, work: () => Promise<unknown>): Promise<number> {
  await work()
  let least = Number.POSITIVE_INFINITY
  for (let run = 0; run < runs; run++) {
    const start = performance.now()
    await work()
    least = Math.min(least, performance.now() - start)
  }
  return least
}
