/**
 * Weights by formula, for tests: random enough that no part of a network is muted, and the same bit by bit in any language, so
 * that reference numbers need no weights beside them. testdata/formula.py holds the same formula in Python.
 *
 * Element i (from 0, row by row) of the tensor `name`:
 *
 *     z = ((i + 1) · 0x9e3779b9 + FNV-1a of the name's bytes) mod 2³²
 *     z = MurmurHash3's finaliser of z (https://github.com/aappleby/smhasher)
 *     u = ⌊z / 2¹⁶⌋ / 2¹⁵ - 1                                     in [-1, 1), 16 bits
 *
 * and its value, exact in float32,
 *
 *     u / 4                for a `bias` or `mean` of one axis
 *     1 + u / 2            for all else of one axis (the scale of a norm, a variance)
 *     u                    for tables and inputs: names with `embed`, `token`, `pixel` or `relative_…bias`, but not `patch_embed`
 *     u · 2^-⌈log₂(n) / 2⌉  for other matrices and kernels [out, …], n elements for each output
 */
import { closeSync, openSync, writeSync } from 'node:fs'
import { elementCount } from '../../tensor/index.ts'

/** The float32 values of the tensor `name`. */
export function formula(name: string, shape: readonly number[]): Float32Array {
  const values = new Float32Array(elementCount(shape))
  let seed = 0x811c9dc5
  for (const byte of Buffer.from(name)) seed = Math.imul(seed ^ byte, 0x01000193)
  const [offset, scale] = spread(name, shape)
  for (let i = 0; i < values.length; i++) {
    let z = (Math.imul(i + 1, 0x9e3779b9) + seed) | 0
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    z ^= z >>> 16
    values[i] = offset + ((z >>> 16) / 32768 - 1) * scale
  }
  return values
}

function spread(name: string, shape: readonly number[]): [offset: number, scale: number] {
  if (shape.length === 1) return /bias$|mean$/.test(name) ? [0, 1 / 4] : [1, 1 / 2]
  if (/embed|token|pixel|relative_.*bias/.test(name) && !/patch_embed/.test(name)) return [0, 1]
  return [0, 2 ** -Math.ceil(Math.log2(elementCount(shape.slice(1))) / 2)]
}

/** Names and shapes of transformers' `DistilBertModel`. */
export function distilBertShapes(config: {
  readonly vocab_size: number
  readonly max_position_embeddings: number
  readonly dim: number
  readonly n_layers: number
  readonly hidden_dim: number
}): Map<string, number[]> {
  const { dim, hidden_dim } = config
  const shapes = new Map<string, number[]>()
  const linear = (name: string, features: number, inputs: number) => {
    shapes.set(`${name}.weight`, [features, inputs])
    shapes.set(`${name}.bias`, [features])
  }
  const norm = (name: string) => {
    shapes.set(`${name}.weight`, [dim])
    shapes.set(`${name}.bias`, [dim])
  }
  shapes.set('embeddings.word_embeddings.weight', [config.vocab_size, dim])
  shapes.set('embeddings.position_embeddings.weight', [config.max_position_embeddings, dim])
  norm('embeddings.LayerNorm')
  for (let i = 0; i < config.n_layers; i++) {
    const layer = `transformer.layer.${i}`
    for (const part of ['q', 'k', 'v', 'out']) linear(`${layer}.attention.${part}_lin`, dim, dim)
    norm(`${layer}.sa_layer_norm`)
    linear(`${layer}.ffn.lin1`, hidden_dim, dim)
    linear(`${layer}.ffn.lin2`, dim, hidden_dim)
    norm(`${layer}.output_layer_norm`)
  }
  return shapes
}

/** Writes a safetensors file whose values follow {@link formula}; `prefix` is put before the names in the file alone. */
export function writeFormula(
  path: string,
  shapes: ReadonlyMap<string, readonly number[]>,
  prefix = '',
): void {
  const header: Record<string, unknown> = {}
  let end = 0
  for (const [name, shape] of shapes) {
    const start = end
    end += 4 * elementCount(shape)
    header[prefix + name] = { dtype: 'F32', shape, data_offsets: [start, end] }
  }
  const text = Buffer.from(JSON.stringify(header))
  const size = Buffer.alloc(8)
  size.writeBigUInt64LE(BigInt(text.length))
  const file = openSync(path, 'w')
  try {
    for (const part of [size, text]) writeSync(file, part)
    for (const [name, shape] of shapes) {
      const { buffer } = formula(name, shape)
      for (let at = 0; at < buffer.byteLength; ) at += writeSync(file, new Uint8Array(buffer), at)
    }
  } finally {
    closeSync(file)
  }
}
