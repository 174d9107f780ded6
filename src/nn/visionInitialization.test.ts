import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import type { Initializer } from '../graph/index.ts'
import type { Tensor } from '../tensor/index.ts'
import { findCnn } from './cnn/cnnArchitectures.ts'
import { buildLeNet } from './cnn/leNet.ts'
import type { BuildOptions } from './index.ts'
import { visionArchitectures } from './vit/vitArchitectures.ts'
import { findVit } from './vit/vitNames.ts'

/** One value for all elements; mean, deviation, least, greatest; or only the shape of what is too large to be drawn here. */
type Drawn = number | [mean: number, deviation: number, low: number, high: number] | { shape: number[] }

interface State {
  readonly [name: string]: State | Drawn
}

interface Case {
  readonly kind: 'named' | 'transformers' | 'lenet'
  readonly name: string
  readonly source?: string
  readonly config: Readonly<Record<string, unknown>>
  readonly size: [number, number]
  readonly state: State
}

const cases: readonly Case[] = JSON.parse(
  readFileSync(new URL('testdata/initialization.json', import.meta.url), 'utf8'),
)

const isShape = (value: State | Drawn): value is { shape: number[] } =>
  typeof value === 'object' &&
  'shape' in value &&
  Array.isArray(value.shape) &&
  Object.keys(value).length === 1

function drawnOf(state: State, path = ''): Map<string, Drawn> {
  return new Map(
    Object.entries(state).flatMap(([name, inside]): [string, Drawn][] =>
      typeof inside === 'number' || Array.isArray(inside) || isShape(inside)
        ? [[path + name, inside]]
        : [...drawnOf(inside, `${path}${name}.`)],
    ),
  )
}

function build({ kind, name, config, size }: Case, large: ReadonlyMap<string, Initializer> | undefined) {
  const options: BuildOptions = {
    size,
    seed: 3,
    strict: false,
    ...(large ? { classes: config['num_classes'] as number } : {}),
  }
  if (kind === 'lenet') return buildLeNet(config, large, options)
  if (kind === 'transformers')
    return visionArchitectures[name]!(config, large, {
      ...options,
      classes: (config['num_labels'] as number | undefined) ?? 0,
    })
  return (findCnn(name, config) ?? findVit(name, config))!(large, options)
}

function statistics(data: Float32Array) {
  const mean = data.reduce((sum, x) => sum + x, 0) / data.length
  const deviation = Math.sqrt(data.reduce((sum, x) => sum + (x - mean) ** 2, 0) / data.length)
  const low = data.reduce((a, b) => Math.min(a, b), Number.POSITIVE_INFINITY)
  const high = data.reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY)
  return { mean, deviation, low, high }
}

/** What is wrong with how a parameter was drawn, as far as so many numbers can tell. */
function difference(
  data: Float32Array,
  wanted: number | [number, number, number, number],
): string | undefined {
  const { mean, deviation, low, high } = statistics(data)
  const found = `mean ${mean}, deviation ${deviation}, ${low} to ${high}`
  if (typeof wanted === 'number') {
    const same = low === high && Math.abs(low - wanted) <= 0.01 * Math.abs(wanted)
    return same || data.length === 1 ? undefined : `${found} instead of ${wanted}`
  }
  const [wantedMean, wantedDeviation, wantedLow, wantedHigh] = wanted
  const expected = `${found} instead of ${wanted}`
  const count = data.length
  if (count < 8) return low === high ? expected : undefined
  if (Math.abs(mean - wantedMean) > 7 * wantedDeviation * Math.sqrt(1 / count)) return expected
  if (Math.abs(Math.log(deviation / wantedDeviation)) > 7 * Math.sqrt(1 / count) + 0.02) return expected
  // Uniform numbers end where normal ones go on.
  if (count < 500) return undefined
  const extent = Math.max(high - mean, mean - low) / deviation
  const wantedExtent = Math.max(wantedHigh - wantedMean, wantedMean - wantedLow) / wantedDeviation
  return extent < 2.2 === wantedExtent < 2.2 ? undefined : expected
}

describe.each(
  cases.map((one) => [`${one.source ?? one.kind} ${one.name}`, one] as const),
)('a new %s', (_, one) => {
  it('is drawn as its reference draws it', () => {
    const wanted = drawnOf(one.state)
    const file = { path: '/nowhere', offset: 0, length: 0 }
    const large = new Map<string, Initializer>()
    for (const [name, value] of wanted) {
      if (isShape(value)) large.set(name, { dtype: 'float32', shape: value.shape, file })
    }
    const { graph } = build(one, large.size > 0 ? large : undefined)
    const prefix = one.kind === 'transformers' ? new RegExp(`^${one.name}\\.`) : ''
    const wrong: string[] = []
    for (const [name, value] of wanted) {
      if (isShape(value)) continue
      const found = graph.initializers.get(name) ?? graph.initializers.get(name.replace(prefix, ''))
      // Of pretraining only, or without use below a head that pools.
      if (!found && /mask_token|pooler\.|layernorm\./.test(name)) continue
      const problem =
        found && 'data' in found ? difference(found.data as Float32Array, value) : 'is not there'
      if (problem) wrong.push(`${name}: ${problem}`)
    }
    expect(wrong).toEqual([])
  })
})

describe('a new MAE', () => {
  it('starts from sines of column and row, behind a class token without a place', () => {
    const config = {
      hidden_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      intermediate_size: 8,
      image_size: 48,
    }
    const { graph } = visionArchitectures['vit_mae']!(config, undefined)
    const { shape, data } = graph.initializers.get('embeddings.position_embeddings') as Tensor
    expect(shape).toEqual([1, 10, 8])
    const row = (place: number) => Array.from(data as Float32Array).slice(8 * place, 8 * place + 8)
    const { sin, cos } = Math
    expect(row(0)).toEqual(Array(8).fill(0))
    // Column 2 of row 1: two frequencies, 1 and 1/100.
    const wanted = [sin(2), sin(0.02), cos(2), cos(0.02), sin(1), sin(0.01), cos(1), cos(0.01)]
    expect(row(1 + 3 + 2).every((value, i) => Math.abs(value - wanted[i]!) < 1e-6)).toBe(true)
  })
})
