/** Builds what `vits.py` asks for, one request a line, and answers how far its numbers are from the reference. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { cut, type Initializer, resolveLayer } from '../../../src/graph/index.ts'
import { readSafetensors } from '../../../src/models/index.ts'
import { buildClip } from '../../../src/nn/clip.ts'
import type { BuiltModel } from '../../../src/nn/index.ts'
import { findVit, visionArchitectures } from '../../../src/nn/vitArchitectures.ts'
import { compile } from '../../../src/runtime/index.ts'
import type { Tensor } from '../../../src/tensor/index.ts'

interface Request {
  readonly folder: string
  readonly kind: 'timm' | 'transformers' | 'clip'
  readonly name: string
  /** Every tensor of the whole model. */
  readonly shapes?: Readonly<Record<string, readonly number[]>>
  /** What the reduced model changes, or the configuration of transformers. */
  readonly config?: Readonly<Record<string, unknown>>
  readonly size?: readonly [number, number]
  readonly tower?: 'text' | 'image'
  /** What the factor of the cosines should be. */
  readonly scale?: number
  /** A model of two towers that was reduced, as it was. */
  readonly whole?: {
    readonly config: Readonly<Record<string, unknown>>
    readonly shapes: Readonly<Record<string, readonly number[]>>
  }
  readonly inputs: Readonly<Record<string, readonly number[]>>
  readonly outputs: Readonly<Record<string, readonly number[]>>
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer: unknown
  try {
    answer = await compare(JSON.parse(line) as Request)
  } catch (error) {
    answer = { error: error instanceof Error ? `${error.message}`.slice(0, 400) : String(error) }
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`)
}

async function compare(request: Request) {
  const { folder, inputs, outputs } = request
  checkShapes(request)
  const { tensors } = await readSafetensors(join(folder, 'model.safetensors'))
  const built = build(request, tensors)
  if (built.unused.length > 0) throw new Error(`unused: ${built.unused.slice(0, 5).join(', ')}`)
  const wanted = new Map(Object.keys(outputs).map((name) => [name, placeOf(built, name)]))
  const graph = cut(built.graph, [...new Set(wanted.values())], { keepInputs: true })
  const session = await compile(graph, { workers: 0, threads: 1, cacheDir: join(folder, 'cache') })
  const feeds = Object.fromEntries(
    Object.entries(inputs).map(([name, shape]) => [name, read(folder, name, shape, name !== 'pixel_values')]),
  )
  const results = await session.run(feeds)
  await session.dispose()
  let worst = { output: '', cosine: 1, relative: 0 }
  for (const [name, shape] of Object.entries(outputs)) {
    const actual = results[wanted.get(name)!]!
    const expected = read(folder, name, shape, false).data as Float32Array
    const { cosine, relative } = distance(actual.data as Float32Array, expected)
    if (!(relative <= worst.relative)) worst = { output: `${name} [${actual.shape}]`, cosine, relative }
    if (!(cosine >= 0.9999 && relative <= 1e-4)) {
      return {
        cosine,
        relative,
        worst: `${name}: cosine ${cosine}, error ${relative}, [${actual.shape}] for [${shape}]`,
      }
    }
  }
  return { cosine: worst.cosine, relative: worst.relative, outputs: wanted.size }
}

function build(request: Request, tensors: ReadonlyMap<string, Initializer>): BuiltModel {
  const { kind, name, config = {}, size, tower } = request
  const options = size ? { size } : {}
  if (kind === 'timm') {
    const find = findVit(name, config)
    if (!find) throw new Error('unknown')
    return find(tensors, options)
  }
  if (kind !== 'clip') return visionArchitectures[name]!(config, tensors, options)
  const towers = buildClip(config, tensors, options)
  const { scale } = request
  if (scale !== undefined && Math.abs(towers.logitScale - scale) > 1e-5 * scale) {
    throw new Error(`logit scale ${towers.logitScale}, not ${scale}`)
  }
  return towers[tower!]
}

/** The whole model asks for every tensor by its name and shape. Nothing is read but numbers of one element. */
function checkShapes({ kind, name, shapes, whole }: Request): void {
  const all = whole?.shapes ?? shapes
  if (!all) return
  const file = { path: '/nowhere', offset: 0, length: 0 }
  const tensors = new Map<string, Initializer>(
    Object.entries(all).map(([key, shape]) => [
      key,
      shape.every((size) => size === 1)
        ? { dtype: 'float32', shape, data: new Float32Array(1) }
        : { dtype: 'float32', shape, file },
    ]),
  )
  const unused =
    kind === 'timm' ? findVit(name)?.(tensors).unused : buildClip(whole?.config, tensors).image.unused
  if (!unused) throw new Error('unknown')
  if (unused.length > 0) throw new Error(`unused of the whole: ${unused.slice(0, 5).join(', ')}`)
}

function placeOf(built: BuiltModel, output: string): string {
  if (output.startsWith('layer:')) return resolveLayer(built.graph, output.slice('layer:'.length))
  const named = (built as unknown as Record<string, string | undefined>)[output]
  return named ?? resolveLayer(built.graph, output)
}

function read(folder: string, name: string, shape: readonly number[], integers: boolean): Tensor {
  const bytes = new Uint8Array(readFileSync(join(folder, `${name}.bin`)))
  return integers
    ? { dtype: 'int64', shape, data: new BigInt64Array(bytes.buffer) }
    : { dtype: 'float32', shape, data: new Float32Array(bytes.buffer) }
}

/** Cosine, and the largest difference over the largest magnitude. */
function distance(actual: Float32Array, expected: Float32Array): { cosine: number; relative: number } {
  if (actual.length !== expected.length) return { cosine: Number.NaN, relative: Number.NaN }
  let [product, a, b, difference, magnitude] = [0, 0, 0, 0, 0]
  for (let i = 0; i < expected.length; i++) {
    const [x, y] = [actual[i]!, expected[i]!]
    product += x * y
    a += x * x
    b += y * y
    difference = Math.max(difference, Math.abs(x - y))
    magnitude = Math.max(magnitude, Math.abs(y))
    if (Number.isNaN(x)) return { cosine: Number.NaN, relative: Number.NaN }
  }
  return { cosine: product / Math.sqrt(a * b), relative: difference / magnitude }
}
