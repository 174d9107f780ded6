/**
 * Cost of the pipeline itself: a million rows through three cheap stages, and how far resident memory grows between a
 * quarter of the way and the end. `npx tsx bench/pipeline.ts [rows]`
 */
import { dc, pipe, type Source } from '../src/pipeline/index.ts'

const rows = Number(process.argv[2] ?? 1_000_000)
const MB = 2 ** 20

function* numbers(): Generator<number> {
  for (let i = 0; i < rows; i++) yield i
}

async function* numbersLater(): AsyncGenerator<number> {
  yield* numbers()
}

/** Reads a million rows, and measures resident memory, at its highest in each quarter. */
async function measure(name: string, run: () => AsyncIterable<unknown>): Promise<void> {
  let seen = 0
  let early = 0
  let late = 0
  const start = performance.now()
  for await (const _ of run()) {
    seen++
    if (seen % 10_000 === 0) {
      const resident = process.memoryUsage.rss()
      if (seen <= rows / 4) early = Math.max(early, resident)
      else late = Math.max(late, resident)
    }
  }
  const microseconds = ((performance.now() - start) * 1000) / rows
  const growth = (late - early) / MB
  const line = [
    name.padEnd(40),
    `${microseconds.toFixed(2)} µs/row`,
    `${growth.toFixed(1)} MB growth`,
    `${seen} rows`,
  ]
  console.log(line.join('   '))
  if (microseconds > 10 || growth > 16 || seen !== rows) process.exitCode = 1
}

const three = (source: Source<number>) =>
  dc(source)
    .map((x) => x + 1)
    .filter((x) => x >= 0)
    .map((x) => x * 2)

const columns = pipe
  .input<{ x: number }>('x')
  .map('x', 'next', (x) => x + 1)
  .filter('next', (next) => next >= 0)
  .map(['x', 'next'], 'sum', (x, next) => x + next)
  .output('x', 'sum')

await measure('dc, generator', () => three(numbers()))
await measure('dc, asynchronous generator', () => three(numbersLater()))
await measure('pipe, generator', () => columns.stream(numbers()))
await measure('dc, functions that return promises', () => dc(numbers()).map(async (x) => x + 1))
