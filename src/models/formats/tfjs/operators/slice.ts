/** Slices. */
import { op, type Value } from '../../../../graph/index.ts'
import type { NodeCall } from '../nodeCall.ts'

/** Beyond every axis. */
const FAR = 2 ** 31 - 1

/** From `begin`, `size` elements; -1 is all that follow. */
export function slice(call: NodeCall): Value {
  const x = call.value(0)
  const [begin, size] = [call.known(1), call.known(2)]
  if (begin && size) {
    return op.slice(
      x,
      begin,
      size.map((count, axis) => (count === -1 ? FAR : begin[axis]! + count)),
    )
  }
  const count = call.value(2)
  return op.slice(x, call.value(1), op.where(op.equal(count, -1), FAR, op.add(call.value(1), count)))
}

/** Effect of one entry of a strided slice. */
interface Entry {
  readonly index: number
  readonly kind: 'slice' | 'pick' | 'insert' | 'rest'
}

/**
 * NumPy's `x[begin:end:step, …]`, whose masks say where an end is open, an axis goes, a new one comes, or `...` stands.
 *
 * @see https://www.tensorflow.org/api_docs/python/tf/strided_slice
 */
export function stridedSlice(call: NodeCall): Value {
  const x = call.value(0)
  const steps = call.numbers(3)
  const has = (mask: string, index: number) => ((call.int(mask, 0) >> index) & 1) === 1
  const entries = steps.map((_, index): Entry => {
    if (has('ellipsis_mask', index)) return { index, kind: 'rest' }
    if (has('new_axis_mask', index)) return { index, kind: 'insert' }
    return { index, kind: has('shrink_axis_mask', index) ? 'pick' : 'slice' }
  })
  const used = entries.filter(({ kind }) => kind === 'slice' || kind === 'pick').length
  const cuts: { axis: number; index: number; kind: 'slice' | 'pick' }[] = []
  const inserted: number[] = []
  let [axis, place] = [0, 0]
  for (const { index, kind } of entries) {
    if (kind === 'insert') inserted.push(place++)
    else if (kind === 'rest') {
      axis += x.shape.length - used
      place += x.shape.length - used
    } else {
      cuts.push({ axis: axis++, index, kind })
      if (kind === 'slice') place++
    }
  }
  const step = (index: number) => (has('shrink_axis_mask', index) ? 1 : steps[index]!)
  const ends = cuts.map(({ index, kind }) => {
    const [begin, end] = [element(call, 1, index), element(call, 2, index)]
    const [open, last] = step(index) > 0 ? [0, FAR] : [FAR, -FAR - 1]
    if (kind === 'pick') return [begin, typeof begin === 'number' ? begin + 1 || FAR : after(begin)] as const
    return [has('begin_mask', index) ? open : begin, has('end_mask', index) ? last : end] as const
  })
  let result = x
  if (cuts.length > 0) {
    const axes = cuts.map((cut) => cut.axis)
    const strides = cuts.map(({ index }) => step(index))
    result = op.slice(
      x,
      vector(
        call,
        ends.map(([start]) => start),
      ),
      vector(
        call,
        ends.map(([, end]) => end),
      ),
      {
        axes,
        ...(strides.every((stride) => stride === 1) ? {} : { steps: strides }),
      },
    )
    const picked = cuts.filter(({ kind }) => kind === 'pick').map((cut) => cut.axis)
    if (picked.length > 0) result = op.squeeze(result, picked)
  }
  return inserted.length > 0 ? op.unsqueeze(result, inserted) : result
}

/** One element of an input, as a number where it is known, else as a vector of one. */
function element(call: NodeCall, input: number, index: number): number | Value {
  const known = call.known(input)
  return known ? known[index]! : op.slice(call.value(input), [index], [index + 1])
}

/** One behind a computed index; behind the last one, -1, is the end. */
function after(index: Value): Value {
  return op.where(op.equal(index, -1), FAR, op.add(index, 1))
}

function vector(call: NodeCall, elements: readonly (number | Value)[]): readonly number[] | Value {
  const known = elements.filter((entry) => typeof entry === 'number')
  if (known.length === elements.length) return known
  return op.concat(
    elements.map((entry) => (typeof entry === 'number' ? call.builder.constant([entry]) : entry)),
    0,
  )
}
