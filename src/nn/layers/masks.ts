/** Masks of dropout and stochastic depth, drawn in the graph from one counter. */
import { type Builder, maskStream, op, type Value } from '../../graph/index.ts'

/** Values that the masks of a builder share. */
interface Source {
  /** uint64 scalars: twice the seed's multiple plus one, and the step in the upper half. */
  readonly key: Value
  readonly step: Value
  readonly half: Value
  readonly names: Set<string>
}

const sources = new WeakMap<Builder, Source>()

/**
 * A mask of the shape of `x`, bool: true where kept, with probability 1 - p.
 *
 * Each row (all axes but the last) and each column gets 32 bits from {@link randomBits}, and an element is kept by the square of
 * their sum: three cheap operators an element, where a whole generator for each would take twenty. Four elements at the corners of
 * a rectangle are the fewest whose sums depend on each other; of their squares nothing is seen (see the tests).
 */
export function keepMask(x: Value, p: number, what: string): Value {
  const { builder } = x
  const { shape } = x
  return inScope(builder, what, (name) => {
    if (shape.length < 2) {
      return op.reshape(kept(randomBits(builder, name, op.size(x)), p), op.shape(x))
    }
    const last = shape.at(-1)!
    const columns = typeof last === 'number' ? builder.constant([last]) : op.shape(x, -1)
    const rows = op.div(op.reshape(op.size(x), [1]), columns)
    const bits = randomBits(builder, name, op.squeeze(op.add(rows, columns), [0]))
    const ofColumns = op.slice(bits, [0], columns, { axes: [0] })
    const ofRows = op.slice(bits, columns, [2 ** 31], { axes: [0] })
    const sum = op.add(op.reshape(ofRows, [-1, 1]), ofColumns)
    return op.reshape(kept(op.mul(sum, sum), p), op.shape(x))
  })
}

/** {@link keepMask} with one element for each row of the batch: [batch, 1, …]. */
export function keepRows(x: Value, p: number, what: string): Value {
  const { builder } = x
  return inScope(builder, what, (name) => {
    const rows = op.squeeze(op.shape(x, 0, 1), [0])
    const keep = kept(randomBits(builder, name, rows), p)
    return op.reshape(keep, [-1, ...x.shape.slice(1).map(() => 1)])
  })
}

function kept(bits: Value, p: number): Value {
  return op.greaterOrEqual(bits, bits.builder.constant(Math.round(p * 2 ** 32), 'uint32'))
}

/** A scope of its own for each mask, whose path names its stream. */
function inScope(builder: Builder, what: string, build: (name: string) => Value): Value {
  const { names } = sourceOf(builder)
  const path = (scope: string) => (builder.path ? `${builder.path}.${scope}` : scope)
  let scope = what
  for (let i = 2; names.has(path(scope)); i++) scope = `${what}_${i}`
  names.add(path(scope))
  return builder.scope(scope, { kind: 'Mask' }, () => build(builder.path))
}

/**
 * uint32 [count] from the counter: "Squares" with four rounds (https://arxiv.org/abs/2004.06278), whose key is made of the seed and
 * of `name`, its counter of the step and the index.
 */
function randomBits(builder: Builder, name: string, count: Value): Value {
  const { key: seed, step, half } = sourceOf(builder)
  const key = op.add(seed, unsigned(builder, streamOf(name) << 1n))
  const counter = op.add(op.cast(op.range(0, count), 'uint64'), step)
  const swap = (x: Value) => op.add(op.bitShift(x, half, 'right'), op.bitShift(x, half, 'left'))
  const y = op.mul(counter, key)
  const z = op.add(y, key)
  let x = y
  for (const offset of [y, z, y]) x = swap(op.add(op.mul(x, x), offset))
  return op.cast(op.bitShift(op.add(op.mul(x, x), z), half, 'right'), 'uint32')
}

function sourceOf(builder: Builder): Source {
  const known = sources.get(builder)
  if (known) return known
  // These belong to no layer, whichever asks first.
  const source = builder.outermost(() => {
    const counter = maskStream(builder)
    const half = unsigned(builder, 32n)
    const [seed, step] = [0, 1].map((i) => op.cast(op.gather(counter, i), 'uint64')) as [Value, Value]
    return {
      key: op.add(op.mul(seed, unsigned(builder, GOLDEN << 1n)), unsigned(builder, 1n)),
      step: op.bitShift(step, half, 'left'),
      half,
      names: new Set<string>(),
    }
  })
  sources.set(builder, source)
  return source
}

const GOLDEN = 0x9e3779b97f4a7c15n

function unsigned(builder: Builder, value: bigint): Value {
  return builder.constant({ dtype: 'uint64', shape: [], data: BigUint64Array.of(value) })
}

/** 64 bits that tell one name from another: FNV-1a, then the finaliser of SplitMix64. */
function streamOf(name: string): bigint {
  let z = 0xcbf29ce484222325n
  const wrap = (value: bigint) => BigInt.asUintN(64, value)
  for (const byte of new TextEncoder().encode(name)) z = wrap((z ^ BigInt(byte)) * 0x100000001b3n)
  z = wrap((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return z ^ (z >> 31n)
}
