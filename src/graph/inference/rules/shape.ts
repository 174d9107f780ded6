/** Operators that make, read and change shapes. */
import { dtypeOf } from '../../onnx/schema.ts'
import type { Dimension, Shape } from '../../types.ts'
import { add, divideCeil, divideExact, divideFloor, elements, multiply, subtract } from '../dimension.ts'
import { type Call, CONTENT_LIMIT, factOf, MOST_AXES, type Rule, tensor } from '../rule.ts'
import { slice } from './slice.ts'

const reshape: Rule = (call) => {
  const dtype = call.dtype(0)
  const input = call.shape(0)
  const target = call.ints('shape') ?? call.content(1)
  if (!target) {
    const rank = call.shape(1)?.[0]
    return [tensor(dtype, typeof rank === 'number' ? call.freshShape(0, rank) : undefined)]
  }
  const zeroIsZero = call.int('allowzero', 0) !== 0
  const result = target.map((dimension, axis) => {
    if (dimension !== 0 || zeroIsZero) return dimension
    if (input && axis >= input.length) throw call.error(`size 0 at axis ${axis} has nothing to copy`)
    return input?.[axis] ?? ''
  })
  const holes = result.filter((dimension) => dimension === -1 || dimension === '').length
  const hole = result.findIndex((dimension) => dimension === -1 || dimension === '')
  if (result.filter((dimension) => dimension === -1).length > 1) throw call.error('more than one size is -1')
  if (input) {
    if (holes === 1) result[hole] = missing(call, input, result, hole)
    else if (holes === 0) call.same(elements(input), elements(result), 'number of elements')
  }
  const shape = result.map((dimension, axis) =>
    dimension === -1 || dimension === '' ? call.fresh(0, axis) : dimension,
  )
  return [tensor(dtype, shape, shape.length <= 1 ? call.content(0) : undefined)]
}

/** The one size that the others leave over. */
function missing(call: Call, input: Shape, target: readonly Dimension[], hole: number): Dimension {
  // Equal sizes on both sides cancel first, so that even unknown ones may.
  const left = [...input]
  const right = target.filter((_, axis) => axis !== hole)
  for (const dimension of [...right]) {
    const at = dimension === '' ? -1 : left.indexOf(dimension)
    if (at < 0) continue
    left.splice(at, 1)
    right.splice(right.indexOf(dimension), 1)
  }
  const [whole, rest] = [elements(left), elements(right)]
  const size = divideExact(whole, rest)
  const indivisible = size === '' || (typeof size === 'number' && !Number.isInteger(size))
  if (indivisible && typeof whole === 'number' && typeof rest === 'number' && rest !== 0) {
    throw call.error(`[${target.join(', ')}] does not divide the number of elements`)
  }
  return indivisible ? '' : size
}

const flatten: Rule = (call) => {
  const shape = call.shape(0)
  if (!shape) return [tensor(call.dtype(0), call.freshShape(0, 2))]
  const given = call.int('axis', 1)
  const axis = given < 0 ? given + shape.length : given
  return [tensor(call.dtype(0), [elements(shape.slice(0, axis)), elements(shape.slice(axis))])]
}

const transpose: Rule = (call) => {
  const shape = call.shape(0)
  if (!shape) return [tensor(call.dtype(0))]
  const order = call.ints('perm') ?? shape.map((_, axis) => axis).reverse()
  const valid = new Set(order).size === shape.length && order.every((axis) => axis in shape)
  if (!valid || order.length !== shape.length)
    throw call.error(`[${order.join(', ')}] does not permute its axes`)
  return [
    tensor(
      call.dtype(0),
      order.map((axis) => shape[axis]!),
      call.content(0),
    ),
  ]
}

const squeeze: Rule = (call) => {
  const shape = call.shape(0)
  const dtype = call.dtype(0)
  const given = call.intsOrInput('axes', 1)
  if (!shape || (!given && call.has(1))) return [tensor(dtype)]
  if (!given && shape.some((dimension) => typeof dimension === 'string')) return [tensor(dtype)]
  const axes = given ? call.axes(given, shape.length) : [...shape.keys()].filter((axis) => shape[axis] === 1)
  for (const axis of axes) call.same(shape[axis], 1, `size of squeezed axis ${axis}`)
  return [
    tensor(
      dtype,
      shape.filter((_, axis) => !axes.includes(axis)),
      call.content(0),
    ),
  ]
}

const unsqueeze: Rule = (call) => {
  const shape = call.shape(0)
  const given = call.intsOrInput('axes', 1)
  if (!shape || !given) return [tensor(call.dtype(0))]
  const axes = call.axes(given, shape.length + given.length)
  if (new Set(axes).size !== axes.length) throw call.error(`axes [${given.join(', ')}] repeat`)
  const result: Dimension[] = [...shape]
  for (const axis of axes) result.splice(axis, 0, 1)
  return [tensor(call.dtype(0), result, result.length <= 1 ? call.content(0) : undefined)]
}

const concat: Rule = (call) => {
  const all = [...call.inputs.keys()]
  const dtype = call.sameDtype(...all)
  const shapes = all.map((index) => call.shape(index))
  const first = shapes.find((shape) => shape)
  if (!first) return [tensor(dtype)]
  const axis = call.axis(call.int('axis', 0), first.length)
  const result = first.map((_, i) => {
    if (i === axis)
      return shapes.reduce<Dimension>((sum, shape) => (shape ? add(sum, shape[i] ?? '') : ''), 0)
    return shapes.reduce<Dimension>((known, shape) => {
      if (shape && shape.length !== first.length) throw call.error('ranks differ')
      call.same(known === '' ? undefined : known, shape?.[i], `size of axis ${i}`)
      return typeof known === 'number' ? known : (shape?.[i] ?? known)
    }, first[i]!)
  })
  const contents = all.map((index) => call.content(index))
  const content =
    contents.every((part) => part) && first.length === 1 ? contents.flatMap((part) => part!) : undefined
  return [tensor(dtype, result, content)]
}

const split: Rule = (call) => {
  const dtype = call.dtype(0)
  const shape = call.shape(0)
  const count = call.node.outputs.length
  if (!shape) return Array.from({ length: count }, () => tensor(dtype))
  const axis = call.axis(call.int('axis', 0), shape.length)
  const size = shape[axis]!
  const computed = call.has(1) ? Array.from({ length: count }, () => '') : undefined
  const given = call.ints('split') ?? call.content(1) ?? computed
  const sizes = given ?? equalParts(call, size, count)
  if (given) call.same(sizes.reduce(add, 0), size, `sum of the parts [${given.join(', ')}] of axis ${axis}`)
  const content = shape.length === 1 && sizes.every((part) => typeof part === 'number') && call.content(0)
  let at = 0
  return Array.from({ length: count }, (_, i) => {
    const part = sizes[i] || (sizes[i] === 0 ? 0 : call.fresh(i, axis))
    const inside = content ? content.slice(at, at + Number(part)) : undefined
    at += Number(part)
    return tensor(
      dtype,
      shape.map((dimension, j) => (j === axis ? part : dimension)),
      inside,
    )
  })
}

/** Without sizes: equal parts, and from operator set 18 on a last one that may be smaller. */
function equalParts(call: Call, size: Dimension, count: number): readonly Dimension[] {
  const parts = call.int('num_outputs')
  if (parts === undefined) {
    if (typeof size === 'number' && size % count !== 0)
      throw call.error(`${size} is not ${count} equal parts`)
    return Array(count).fill(divideFloor(size, count))
  }
  const chunk = divideCeil(size, parts)
  return Array.from({ length: count }, (_, i) =>
    i === parts - 1 ? subtract(size, multiply(chunk, i)) : chunk,
  )
}

const expand: Rule = (call) => {
  const dtype = call.dtype(0)
  const shape = call.shape(0)
  const target = call.content(1)
  const targetRank = target?.length ?? call.shape(1)?.[0]
  if (!shape || typeof targetRank !== 'number') return [tensor(dtype)]
  const rank = Math.max(shape.length, targetRank)
  if (rank > MOST_AXES) throw call.error(`${rank} axes`)
  if (!target) return [tensor(dtype, call.freshShape(0, rank))]
  const result = Array.from({ length: rank }, (_, i) => {
    const from = shape[i - rank + shape.length] ?? 1
    const to = target[i - rank + target.length] ?? 1
    if (from === 1) return to === '' ? call.fresh(0, i) : to
    if (to !== 1) call.same(from, to, `size of axis ${i}`)
    // A symbol beside a symbol: expanding means that the target's size holds, unless it is 1.
    return typeof from === 'number' || to === 1 || to === '' ? from : to
  })
  const length = result.length === 1 && typeof result[0] === 'number' ? result[0] : undefined
  const source = call.content(0)
  const isFew = length !== undefined && length <= CONTENT_LIMIT
  const content = isFew && source?.length === 1 ? Array(length).fill(source[0]) : undefined
  return [tensor(dtype, result, content)]
}

const tile: Rule = (call) => {
  const shape = call.shape(0)
  const repeats = call.content(1)
  if (shape && repeats && repeats.length !== shape.length) throw call.error(`repeats are ${repeats.length}`)
  return [
    tensor(
      call.dtype(0),
      shape?.map((dimension, i) => (repeats && multiply(dimension, repeats[i] ?? '')) || call.fresh(0, i)),
    ),
  ]
}

const pad: Rule = (call) => {
  const dtype = call.dtype(0)
  const shape = call.shape(0)
  if (!shape) return [tensor(dtype)]
  const pads = call.ints('pads') ?? call.content(1)
  const axes = call.numbers(3)?.map((axis) => call.axis(axis, shape.length)) ?? [...shape.keys()]
  if (!pads) return [tensor(dtype, call.freshShape(0, shape.length))]
  if (pads.length !== 2 * axes.length) throw call.error(`pads are ${pads.length} for ${axes.length} axes`)
  const result = [...shape]
  axes.forEach((axis, i) => {
    result[axis] = add(add(shape[axis]!, pads[i]!), pads[i + axes.length]!)
  })
  return [tensor(dtype, result)]
}

const shapeOf: Rule = (call) => {
  const shape = call.shape(0)
  if (!shape) return [tensor('int64', [''])]
  const end = call.int('end')
  const part = shape.slice(call.int('start', 0), end)
  return [tensor('int64', [part.length], part)]
}

const size: Rule = (call) => {
  const shape = call.shape(0)
  return [tensor('int64', [], shape && [elements(shape)])]
}

const constantOfShape: Rule = (call) => {
  const value = call.tensor('value')
  const content = value && factOf(value).content
  const dtype = value?.dtype ?? 'float32'
  const shape = call.content(0)
  if (!shape) {
    const rank = call.shape(0)?.[0]
    return [tensor(dtype, typeof rank === 'number' ? call.freshShape(0, rank) : undefined)]
  }
  const count = shape.length <= 1 ? (shape[0] ?? 1) : ''
  return [
    tensor(
      dtype,
      shape.map((dimension, i) => (dimension === '' ? call.fresh(0, i) : dimension)),
      typeof count === 'number' && count >= 0 && count <= CONTENT_LIMIT && Number.isInteger(count)
        ? Array(count).fill(content?.[0] ?? (value ? '' : 0))
        : undefined,
    ),
  ]
}

const range: Rule = (call) => {
  const dtype = call.sameDtype(0, 1, 2)
  const [start, limit, delta] = [0, 1, 2].map((index) => call.content(index)?.[0] ?? '')
  if (start === undefined || limit === undefined || !delta) return [tensor(dtype, [call.fresh(0, 0)])]
  const span = subtract(limit, start)
  const integer = Number.isInteger(span) || typeof span === 'string'
  const count =
    typeof span === 'number' && typeof delta === 'number'
      ? Math.max(0, Math.ceil(span / delta))
      : integer
        ? divideCeil(span, delta)
        : ''
  const content =
    typeof count === 'number' && count <= 1024 && typeof delta === 'number'
      ? Array.from({ length: count }, (_, i) => add(start, i * delta))
      : undefined
  return [tensor(dtype, [count === '' ? call.fresh(0, 0) : count], content)]
}

const depthToSpace: Rule = (call) => {
  const block = call.int('blocksize', 1)
  const shape = call.shape(0)
  if (!shape) return [tensor(call.dtype(0))]
  const [batch, channels, height, width] = four(call, shape)
  const depth = divideExact(channels, block * block)
  return [tensor(call.dtype(0), [batch, depth, multiply(height, block), multiply(width, block)])]
}

const spaceToDepth: Rule = (call) => {
  const block = call.int('blocksize', 1)
  const shape = call.shape(0)
  if (!shape) return [tensor(call.dtype(0))]
  const [batch, channels, height, width] = four(call, shape)
  const spatial = [height, width].map((dimension) => divideExact(dimension, block))
  return [tensor(call.dtype(0), [batch, multiply(channels, block * block), ...spatial])]
}

function four(call: Call, shape: Shape): readonly [Dimension, Dimension, Dimension, Dimension] {
  if (shape.length !== 4) throw call.error('it must have 4 axes')
  return shape as unknown as [Dimension, Dimension, Dimension, Dimension]
}

const constant: Rule = (call) => {
  const { attributes } = call.node
  const value = call.tensor('value')
  if (value) return [factOf(value)]
  if (attributes['value_float']) return [tensor('float32', [], [call.float('value_float')!])]
  if (attributes['value_int']) return [tensor('int64', [], [call.int('value_int', 0)])]
  const floats = call.floats('value_floats')
  if (floats) return [tensor('float32', [floats.length], floats)]
  const ints = call.ints('value_ints')
  if (ints) return [tensor('int64', [ints.length], ints)]
  if (attributes['value_string']) return [tensor('string', [])]
  const strings = attributes['value_strings']
  if (strings?.type === 'strings') return [tensor('string', [strings.value.length])]
  return [undefined]
}

const centerCropPad: Rule = (call) => {
  const shape = call.shape(0)
  if (!shape) return [tensor(call.dtype(0))]
  const target = call.content(1)
  const axes = (call.ints('axes') ?? [...shape.keys()]).map((axis) => call.axis(axis, shape.length))
  const result = [...shape]
  for (const [i, axis] of axes.entries()) result[axis] = target?.[i] || call.fresh(0, axis)
  return [tensor(call.dtype(0), result)]
}

const columnsToImage: Rule = (call) => {
  const shape = call.shape(0)
  const rank = call.shape(1)?.[0]
  if (!shape || typeof rank !== 'number') return [tensor(call.dtype(0))]
  const block = call.content(2)
  const channels = block ? divideExact(shape[1]!, elements(block)) : ''
  const image = call.content(1) ?? Array.from({ length: rank }, (_, i) => call.fresh(0, i + 2))
  return [tensor(call.dtype(0), [shape[0]!, channels || call.fresh(0, 1), ...image])]
}

const eyeLike: Rule = (call) => [tensor(dtypeOf(call.int('dtype', 0)) ?? call.dtype(0), call.shape(0))]

export const shape = {
  Reshape: reshape,
  Flatten: flatten,
  Transpose: transpose,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Concat: concat,
  Split: split,
  Expand: expand,
  Tile: tile,
  Pad: pad,
  Slice: slice,
  Shape: shapeOf,
  Size: size,
  ConstantOfShape: constantOfShape,
  Range: range,
  DepthToSpace: depthToSpace,
  SpaceToDepth: spaceToDepth,
  Constant: constant,
  EyeLike: eyeLike,
  CenterCropPad: centerCropPad,
  Col2Im: columnsToImage,
} satisfies Readonly<Record<string, Rule>>
