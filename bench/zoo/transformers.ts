/** transformers.js' side of zoo.ts, on the ONNX file that Pipilo saves, or on what ONNX Runtime's quantisation makes of it. */
import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { AutoModel, env, pipeline, Tensor } from '@huggingface/transformers'
import { serve, type Way, type Work } from './side.ts'

env.allowRemoteModels = false
let run: (way: Way) => Promise<number[][]> = async () => []
let dispose: () => Promise<unknown> = async () => {}

type Dtype = 'fp32' | 'q8'

async function openText({ folder, texts }: Work, dtype: Dtype): Promise<void> {
  const extract = await pipeline('feature-extraction', basename(folder), { dtype })
  const lengths = texts!.map((text) => extract.tokenizer(text).input_ids.size as number)
  const given = [...lengths.keys()]
  const byLength = given.toSorted((a, b) => lengths[b]! - lengths[a]!)
  run = async ({ batch, order: asked }) => {
    const order = asked === 'sorted' ? byLength : given
    const rows: number[][] = []
    for (let start = 0; start < order.length; start += Number(batch)) {
      const part = order.slice(start, start + Number(batch))
      const vectors = await extract(
        part.map((i) => texts![i]!),
        { pooling: 'mean', normalize: true },
      )
      for (const [i, vector] of (vectors.tolist() as number[][]).entries()) rows[part[i]!] = vector
    }
    return rows
  }
  dispose = () => extract.dispose()
}

async function openFiles({ folder, files }: Work, dtype: Dtype): Promise<void> {
  const extract = await pipeline('image-feature-extraction', basename(folder), { dtype })
  run = async ({ batch }) => {
    const rows: number[][] = []
    for (let start = 0; start < files!.length; start += Number(batch)) {
      const { data, dims } = await extract(files!.slice(start, start + Number(batch)))
      const width = dims.at(-1)!
      for (let at = 0; at < data.length; at += width)
        rows.push(Array.from(data.slice(at, at + width) as Float32Array))
    }
    return rows
  }
  dispose = () => extract.dispose()
}

async function openPictures({ folder, file, count }: Work, dtype: Dtype): Promise<void> {
  const model = await AutoModel.from_pretrained(basename(folder), { dtype })
  const bytes = readFileSync(file!)
  const numbers = new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
  const one = 3 * 224 * 224
  run = async ({ batch }) => {
    const rows: number[][] = []
    for (let start = 0; start < count; start += Number(batch)) {
      const data = numbers.slice(start * one, Math.min(start + Number(batch), count) * one)
      const pixels = new Tensor('float32', data, [data.length / one, 3, 224, 224])
      const { last_hidden_state: vectors } = await model({ pixel_values: pixels })
      rows.push(...(vectors.tolist() as number[][]))
    }
    return rows
  }
  dispose = () => model.dispose()
}

await serve({
  async open({ dtype, ...work }: Work & { dtype: Dtype }) {
    env.localModelPath = dirname(work.folder)
    await { text: openText, picture: openPictures, file: openFiles }[work.kind](work, dtype)
    return {}
  },
  async run({ vectors, ...way }: Way & { vectors: boolean }) {
    const start = performance.now()
    const rows = await run(way)
    const milliseconds = performance.now() - start
    return { milliseconds, ...(vectors && { vectors: rows }) }
  },
  async close() {
    await dispose()
    return {}
  },
})
