/**
 * One short text beside a running call of many, and 200 calls of one text beside one call of 200.
 *
 *     npx tsx turns.ts            # in bench/; needs ../../shared for its sentences
 */
import { embedder } from 'pipilo'
import { mixedTexts } from './sentences.ts'

const ROUNDS = 10
const median = (values: number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!
const time = async (work: () => Promise<unknown>) => {
  const start = performance.now()
  await work()
  return performance.now() - start
}
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds))

const e = await embedder('all-MiniLM-L6-v2')
const [large, texts, short] = [mixedTexts(400), mixedTexts(200, 2), ['a towhee in the snow']]
await e.embed(large)
const alone: number[] = []
const beside: number[] = []
const batch: number[] = []
const one: number[] = []
const many: number[] = []
for (let round = 0; round < ROUNDS; round++) {
  alone.push(await time(() => e.embed(short)))
  const running = e.embed(large)
  await pause(150)
  beside.push(await time(() => e.embed(short)))
  await running
  // Two batches of 512 tokens, one a worker: 14 words and two special tokens, 32 times.
  const full = Array.from({ length: 64 }, () => 'towhee '.repeat(4))
  batch.push(await time(() => e.embed(full)))
  one.push(await time(() => e.embed(texts)))
  many.push(await time(() => Promise.all(texts.map((text) => e.embed([text])))))
}
await e.dispose()
const row = (values: number[]) => ({
  median: median(values).toFixed(1),
  most: Math.max(...values).toFixed(1),
})
console.table({
  'one short text, alone, ms': row(alone),
  'one batch on each worker, ms': row(batch),
  'one short text beside a running call of 400, ms': row(beside),
  'one call of 200 texts, ms': row(one),
  '200 calls of one text, ms': row(many),
})
console.log(
  `beside a running call: ${(median(beside) / median(batch)).toFixed(2)} batches' time (goal ≤ 3); ` +
    `200 calls of one text at ${(median(one) / median(many)).toFixed(2)} of the rate of one call (goal ≥ 0.8)`,
)
