/** Linear maps along single axes, which averaging windows and resizing are, and their transposes, which are their gradients. */
import { op, type Value } from '../graph/index.ts'
import { count, floats } from './windows.ts'

/** A map from `from` elements along an axis to `to`. */
export interface LinearMap {
  readonly axis: number
  readonly from: number
  readonly to: number
  /** Element `[to, from]` of its matrix, row by row. */
  readonly matrix: Float64Array
}

/** The map of which `row(i)` gives the elements that output `i` reads, with their weights. */
export function linearMap(
  axis: number,
  { from, to }: { readonly from: number; readonly to: number },
  row: (output: number) => Iterable<readonly [input: number, weight: number]>,
): LinearMap {
  const matrix = new Float64Array(to * from)
  for (let output = 0; output < to; output++) {
    for (const [input, weight] of row(output)) matrix[output * from + input]! += weight
  }
  return { axis, from, to, matrix }
}

/** The gradient by the input of several maps, one an axis. */
export function transposedMaps(dy: Value, maps: readonly LinearMap[]): Value {
  return maps.filter((map) => !isIdentity(map)).reduceRight(transposedMap, dy)
}

/** The result of several maps, one an axis. */
export function appliedMaps(x: Value, maps: readonly LinearMap[]): Value {
  return maps.map(transposeOf).reduce(transposedMap, x)
}

function transposeOf({ axis, from, to, matrix }: LinearMap): LinearMap {
  return { axis, from: to, to: from, matrix: exchanged(matrix, to, from) }
}

function isIdentity({ from, to, matrix }: LinearMap): boolean {
  return from === to && matrix.every((weight, i) => weight === (i % (from + 1) === 0 ? 1 : 0))
}

function exchanged(matrix: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from(
    { length: matrix.length },
    (_, i) => matrix[(i % rows) * columns + Math.floor(i / rows)]!,
  )
}

function transposedMap(dy: Value, { axis, from, to, matrix }: LinearMap): Value {
  const rank = dy.shape.length
  if (axis === rank - 1) return op.matMul(dy, floats(dy, [to, from], matrix))
  const left = floats(dy, [from, to], exchanged(matrix, to, from))
  if (axis === rank - 2) return op.matMul(left, dy)
  const behind = dy.shape.slice(axis + 1).map(Number)
  const before = dy.shape.slice(0, axis)
  const flat = op.matMul(left, op.reshape(dy, [-1, to, count(behind)]))
  if (before.filter((size) => typeof size !== 'number').length <= 1) {
    return op.reshape(flat, [
      ...before.map((size) => (typeof size === 'number' ? size : -1)),
      from,
      ...behind,
    ])
  }
  const sizes = op.concat([op.shape(dy, 0, axis), dy.builder.constant([from, ...behind])], 0)
  return op.reshape(flat, sizes)
}
