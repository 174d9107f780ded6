import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Builder, op } from '../../graph/index.ts'
import { type Model, open } from '../../models/index.ts'
import { compile, type Session } from '../../runtime/index.ts'
import { cosineSimilarity, type Matrix, tensor } from '../../tensor/index.ts'
import { preparer } from '../preparer.ts'
import type { EmbedderOptions } from '../types.ts'
import type { Preparation } from './preparation.ts'
import { type Outcome, Runner, type RunOptions } from './run.ts'

let model: Model
let session: Session
let folder: string

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pipilo-run-'))
  model = await open('all-MiniLM-L6-v2')
  session = await compile(model.embedding({}), { workers: 2, threads: 1 })
})
afterAll(async () => {
  await session?.dispose()
  await rm(folder, { recursive: true, force: true })
})
const held: Held[] = []
afterEach(() => {
  for (const each of held.splice(0)) each.open()
})

const turns = async (count: number) => {
  for (let i = 0; i < count; i++) await new Promise<void>((resolve) => setImmediate(resolve))
}

/** A session whose runs are counted, and begin inside it when they are let. */
class Held implements Session {
  /** Texts of each run. */
  readonly rows: number[] = []
  /** Memory of what each run gave. */
  readonly given: ArrayBufferLike[] = []
  /** The second token of the first text of each run. */
  readonly words: number[] = []
  readonly #session: Session
  #waiting: (() => void)[] = []
  #open: boolean

  constructor(session: Session, open = true) {
    this.#session = session
    this.#open = open
    held.push(this)
  }

  get inputs() {
    return this.#session.inputs
  }

  get outputs() {
    return this.#session.outputs
  }

  get device() {
    return this.#session.device
  }

  async prove() {}

  get concurrency() {
    return this.#session.concurrency
  }

  async run(...[feeds, outputs, options]: Parameters<Session['run']>) {
    const { shape, data } = feeds['input_ids']!
    this.rows.push(shape[0]!)
    this.words.push(Number(data[Math.min(1, shape[1]! - 1)]))
    if (!this.#open) await new Promise<void>((resolve) => this.#waiting.push(resolve))
    const results = await this.#session.run(feeds, outputs, options)
    this.given.push(...Object.values(results).map(({ data }) => (data as Float32Array).buffer))
    return results
  }

  /** Lets one run go. */
  one(): void {
    this.#waiting.shift()?.()
  }

  open(): void {
    this.#open = true
    for (const go of this.#waiting.splice(0)) go()
  }

  async dispose(): Promise<void> {}
}

async function runnerOf(on: Held, options: EmbedderOptions = {}, of: Model = model) {
  const preparation: Preparation = (await preparer(of, options))(on)
  const runner = new Runner(on, preparation)
  const embed = async (texts: readonly string[], more: Partial<RunOptions> = {}) => {
    const all: Outcome<string>[] = []
    for await (const some of runner.run(texts, { skip: false, prompt: '', ...more })) all.push(...some)
    return all.map(({ rows }) => rows[0]?.vector as Float32Array)
  }
  return { runner, embed, preparation }
}

const texts = (count: number) =>
  Array.from({ length: count }, (_, i) => `${i} ${'towhee '.repeat((i * 7) % 23)}`)

it('Rows are views of what their batch gave, vectors and matrices alike: nobody has copied them yet.', async () => {
  for (const pool of ['mean', 'none'] as const) {
    const graph = model.embedding({ pool })
    for (const workers of [0, 1]) {
      const own = await compile(graph, { workers, threads: 1 })
      const counted = new Held(own)
      const { embed } = await runnerOf(counted)
      const found = (await embed(texts(40))) as (Float32Array | Matrix)[]
      const memory = found.map((one) => (one instanceof Float32Array ? one : one.data).buffer)
      expect(new Set(memory)).toEqual(new Set(counted.given))
      expect(new Set(memory).size).toBeLessThan(40)
      await own.dispose()
    }
  }
})

describe('calls take turns', () => {
  it('a small one begins when one of those that run ends, not after all that is queued', async () => {
    const counted = new Held(session, false)
    const { embed, preparation } = await runnerOf(counted)
    const large = embed(texts(160))
    while (counted.rows.length < 3) await turns(1)
    await turns(50)
    // Two run, and one waits for a worker: more is not under way.
    expect(counted.rows.length).toBe(3)
    const long = 'owls '.repeat(250)
    const [unit] = await preparation.prepare([long], {
      indexOf: (i) => i,
      prompt: '',
      signal: new AbortController().signal,
      onError: () => {},
    })
    const small = embed([long])
    await turns(5)
    counted.one()
    while (counted.rows.length < 4) await turns(1)
    expect(counted.words[3]).toBe(Number(unit!.content[1]))
    expect(counted.rows[3]).toBe(1)
    counted.open()
    expect(await small).toHaveLength(1)
    expect(await large).toHaveLength(160)
    expect(counted.rows.length).toBeGreaterThan(6)
  })

  it('large ones begin their batches by turns', async () => {
    const counted = new Held(session, false)
    const { embed } = await runnerOf(counted)
    const calls = ['owl', 'bird'].map((word) =>
      embed(Array.from({ length: 60 }, () => `${word} `.repeat(30))),
    )
    await turns(20)
    while (counted.rows.length < 7) {
      counted.one()
      await turns(1)
    }
    // The first three places went to the first call, before there was another.
    const [first] = counted.words
    expect(counted.words.slice(0, 3)).toEqual([first, first, first])
    const second = counted.words.slice(3, 7).filter((word) => word !== first)
    expect(second.length).toBeGreaterThanOrEqual(2)
    expect(counted.words[3]).not.toBe(first)
    counted.open()
    await Promise.all(calls)
  })
})

describe('calls of one text each', () => {
  it('share batches where they come together, and each has its own vector', async () => {
    const counted = new Held(session)
    const { embed } = await runnerOf(counted)
    const inputs = texts(200)
    const expected = await embed(inputs)
    const together = counted.rows.length
    counted.rows.length = 0
    const vectors = await Promise.all(inputs.map((input) => embed([input])))
    expect(counted.rows.length).toBeLessThan(1.5 * together + 3)
    expect(counted.rows.reduce((sum, rows) => sum + rows)).toBe(200)
    for (const [i, [vector]] of vectors.entries())
      expect(cosineSimilarity(vector!, expected[i]!)).toBeGreaterThan(0.99999)
  })

  it('begin at once where nothing else is there', async () => {
    const counted = new Held(session)
    const { embed } = await runnerOf(counted)
    for (let i = 1; i <= 3; i++) {
      const call = embed(['a towhee'])
      await turns(2)
      expect(counted.rows).toEqual(Array(i).fill(1))
      await call
    }
  })

  it("give rows a token with pool: 'none'", async () => {
    const tokens = await compile(model.embedding({ pool: 'none' }), { workers: 1 })
    const counted = new Held(tokens)
    const { embed } = await runnerOf(counted)
    const inputs = texts(6)
    const expected = await embed(inputs)
    const found = await Promise.all(inputs.map((input) => embed([input])))
    for (const [i, matrix] of expected.entries()) {
      expect(found[i]![0]).toMatchObject({ rows: (matrix as never as { rows: number }).rows, columns: 384 })
    }
    await tokens.dispose()
  })

  it('fail each for itself: an input that is no text', async () => {
    const counted = new Held(session)
    const { embed } = await runnerOf(counted)
    const inputs = texts(12).map((text, i) => (i === 5 ? (7 as never) : text))
    const found = await Promise.allSettled(inputs.map((input) => embed([input])))
    expect(found.map(({ status }) => status === 'fulfilled')).toEqual(inputs.map((_, i) => i !== 5))
    expect(found[5]).toMatchObject({ reason: { code: 'TEXT_INVALID', input: 0 } })
    expect(counted.rows.length).toBeLessThan(8)
  })

  it('fail each for itself: a run that fails with one of them', async () => {
    const network = await words()
    const small = await compile(network.embedding({ pool: 'mean' }), { workers: 1 })
    const counted = new Held(small)
    const { embed } = await runnerOf(counted, {}, network)
    const inputs = ['a', 'b', 'b a', 'd', 'c', 'a c', 'd', 'c b']
    const found = await Promise.allSettled(inputs.map((input) => embed([input])))
    expect(Math.max(...counted.rows)).toBeGreaterThan(1)
    const failed = found.map((each) => (each.status === 'rejected' ? each.reason.code : ''))
    expect(failed).toEqual(['', '', '', 'RUNTIME', '', '', 'RUNTIME', ''])
    // The graph takes several rows still.
    counted.rows.length = 0
    await embed(['a', 'b', 'c'])
    expect(counted.rows.at(-1)).toBe(3)
    await small.dispose()
  })

  it('are given up each for itself', async () => {
    const counted = new Held(session, false)
    const { embed } = await runnerOf(counted)
    const stops = texts(8).map(() => new AbortController())
    const calls = stops.map(({ signal }, i) => embed([`text ${i}`], { signal }))
    const settled = Promise.allSettled(calls)
    while (counted.rows.length < 1) await turns(1)
    await turns(5)
    for (const i of [0, 3, 6]) stops[i]!.abort()
    counted.open()
    const found = await settled
    expect(found.map(({ status }) => status === 'fulfilled')).toEqual(stops.map((_, i) => i % 3 !== 0))
    expect(found[3]).toMatchObject({ reason: { code: 'ABORTED' } })
    expect((await embed(['a text'])).length).toBe(1)
  })
})

describe('what waits', () => {
  it('is bounded among calls: a further one is busy, until one ends or is given up', async () => {
    const counted = new Held(session, false)
    const { embed } = await runnerOf(counted, { maxWaitingTokens: 40 })
    // Alone, however long; and what a long one has waiting keeps nobody out.
    const large = embed(texts(160))
    while (counted.rows.length < 3) await turns(1)
    await turns(50)
    const stop = new AbortController()
    const first = embed(['owl '.repeat(18)], { signal: stop.signal })
    const gone = expect(first).rejects.toMatchObject({ code: 'ABORTED' })
    const second = embed(['owl '.repeat(16)])
    await turns(5)
    await expect(embed(['owl '.repeat(18)])).rejects.toMatchObject({
      code: 'BUSY',
      message: expect.stringMatching(/40 tokens.*maxWaitingTokens/),
    })
    await expect(embed(texts(50), { skip: true })).rejects.toMatchObject({ code: 'BUSY' })
    stop.abort()
    await gone
    const third = embed(['owl '.repeat(18)])
    await turns(5)
    await expect(embed(['owl '.repeat(18)])).rejects.toMatchObject({ code: 'BUSY' })
    counted.open()
    expect((await Promise.all([large, second, third])).map(({ length }) => length)).toEqual([160, 1, 1])
    expect(await embed(['owl '.repeat(18)])).toHaveLength(1)
  })

  it('is known before texts are tokenised: a thousand calls of one moment are not taken on', async () => {
    const counted = new Held(session, false)
    const { embed } = await runnerOf(counted, { maxWaitingTokens: 600 })
    const calls = Array.from({ length: 1000 }, () => embed(['a towhee in the snow']))
    const settled = Promise.allSettled(calls)
    await turns(20)
    counted.open()
    const found = await settled
    const done = found.filter(({ status }) => status === 'fulfilled').length
    expect(done).toBeGreaterThan(60)
    expect(done).toBeLessThan(200)
    for (const each of found)
      if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'BUSY' })
  })
})

/** A model that knows the words a, b and c; with d, whose row is missing, a run fails. */
async function words(): Promise<Model> {
  const vocab = Object.fromEntries(['[UNK]', 'a', 'b', 'c', 'd'].map((word, i) => [word, i]))
  const tokenizer = {
    version: '1.0',
    added_tokens: [],
    normalizer: null,
    post_processor: null,
    decoder: null,
    pre_tokenizer: { type: 'Whitespace' },
    model: { type: 'WordLevel', vocab, unk_token: '[UNK]' },
  }
  await writeFile(join(folder, 'tokenizer.json'), JSON.stringify(tokenizer))
  const b = new Builder()
  const ids = b.input('input_ids', 'int64', ['batch', 'sequence'])
  b.input('attention_mask', 'int64', ['batch', 'sequence'])
  const table = b.initializer('words', tensor('float32', [4, 2], [0, 0, 1, 0, 0, 1, 1, 1]))
  b.output('hidden', op.gather(table, ids))
  const { writeOnnx } = await import('../../graph/files/index.ts')
  const path = join(folder, 'words.onnx')
  await writeOnnx(b.build(), path)
  return open(path)
}
