/** Pipilo's side of zoo.ts. */
import { readFileSync } from 'node:fs'
import { type Embedder, embedder, type OpenOptions, open } from 'pipilo'
import { compile, type Session } from 'pipilo/runtime'
import { serve, type Way, type Work } from './side.ts'

let run: (way: Way) => Promise<Float32Array[]> = async () => []
let dispose: () => Promise<void> = async () => {}

async function openText({ folder, texts, maxLength }: Work, dtype: OpenOptions['dtype']): Promise<void> {
  const card = { pool: 'mean', normalize: true } as const
  const embedders = new Map<number, Embedder>()
  run = async ({ batch }) => {
    const e =
      embedders.get(Number(batch)) ??
      (await embedder(`file:${folder}`, { dtype, card, maxLength, batchTokens: Number(batch) }))
    embedders.set(Number(batch), e)
    return (await e.embed(texts!)).vectors
  }
  dispose = async () => {
    for (const e of embedders.values()) await e.dispose()
  }
}

async function openFiles({ folder, files }: Work, dtype: OpenOptions['dtype']): Promise<void> {
  const e = await embedder(`file:${folder}`, { dtype })
  run = async () => (await e.embed(files!)).vectors
  dispose = () => e.dispose()
}

async function openPictures({ folder, file, count }: Work, dtype: OpenOptions['dtype']): Promise<void> {
  const model = await open(`file:${folder}`, { dtype })
  const bytes = readFileSync(file!)
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const session: Session = await compile(model.embedding({ preprocess: false, normalize: true }))
  const one = 3 * 224 * 224
  run = async ({ batch }) => {
    const size = Number(batch)
    const starts = Array.from({ length: Math.ceil(count / size) }, (_, i) => i * size)
    const results = await Promise.all(
      starts.map((start) => {
        const data = numbers.slice(start * one, Math.min(start + size, count) * one)
        return session.run({
          pixel_values: { dtype: 'float32', shape: [data.length / one, 3, 224, 224], data },
        })
      }),
    )
    return results.flatMap(({ embedding }) => {
      const [rows, columns] = embedding!.shape as [number, number]
      return Array.from({ length: rows }, (_, i) =>
        (embedding!.data as Float32Array).slice(i * columns, (i + 1) * columns),
      )
    })
  }
  dispose = () => session.dispose()
}

await serve({
  async open({ dtype, ...work }: Work & { dtype: OpenOptions['dtype'] }) {
    const how = { text: openText, picture: openPictures, file: openFiles }[work.kind]
    await how(work, dtype)
    return {}
  },
  async run({ vectors, ...way }: Way & { vectors: boolean }) {
    const start = performance.now()
    const result = await run(way)
    const milliseconds = performance.now() - start
    return { milliseconds, ...(vectors && { vectors: result.map((row) => Array.from(row)) }) }
  },
  async close() {
    await dispose()
    return {}
  },
})
