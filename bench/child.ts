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
  env: Record<string, string> = {},
): Promise<Result> {
  const path = fileURLToPath(new URL(program, import.meta.url))
  const loader = path.endsWith('.ts') ? ['--import', import.meta.resolve('tsx')] : []
  const child = spawn(process.execPath, [...loader, path, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: { ...process.env, ...env, SPAWNED: String(Date.now()) },
  })
  child.stdin.end(input === undefined ? '' : JSON.stringify(input))
  let out = ''
  child.stdout.setEncoding('utf8').on('data', (text) => {
    out += text
  })
  const end = await new Promise((resolve) => child.on('close', (status, signal) => resolve(signal ?? status)))
  if (end !== 0) throw new Error(`${program} ended with ${end}`)
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

/** The middle one of some numbers; of an even count, the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}
