/** Changes that made attributes inputs. */
import type { Changes } from './change.ts'
import { type Change, withInputs } from './change.ts'

/** The integers of an attribute as an input, which is left out where the attribute is. */
const integersToInput =
  (attribute: string, index: number): Change =>
  (call) => {
    const value = call.ints(attribute)
    if (!value) return call.with({ drop: [attribute] })
    const inputs = withInputs(call.node.inputs, { [index]: call.integers(value) })
    return call.with({ inputs, drop: [attribute] })
  }

const clip: Change = (call) => {
  const set: Record<number, string> = {}
  for (const [attribute, index] of [
    ['min', 1],
    ['max', 2],
  ] as const) {
    const bound = call.float(attribute)
    if (bound === undefined || Math.abs(bound) >= LARGEST) continue
    const dtype = call.dtype(0)
    if (!dtype) throw call.unsupported(`has bounds of a dtype that is not known`, 11)
    set[index] = call.scalar(dtype, bound)
  }
  return call.with({ inputs: withInputs(call.node.inputs, set), drop: ['min', 'max'] })
}

/** Clip's own defaults: the largest numbers of float32, which bound nothing. */
const LARGEST = 3.4028234e38

const pad: Change = (call) => {
  const value = call.float('value') ?? 0
  const dtype = call.dtype(0)
  if (value !== 0 && !dtype) throw call.unsupported('has a value of a dtype that is not known', 11)
  const inputs = withInputs(call.node.inputs, {
    1: call.integers(call.ints('pads') ?? []),
    ...(value !== 0 && dtype ? { 2: call.scalar(dtype, value) } : {}),
  })
  return call.with({ inputs, drop: ['pads', 'value'] })
}

const slice: Change = (call) => {
  const [starts, ends, axes] = [call.ints('starts') ?? [], call.ints('ends') ?? [], call.ints('axes')]
  const inputs = withInputs(call.node.inputs, {
    1: call.integers(starts),
    2: call.integers(ends),
    ...(axes ? { 3: call.integers(axes) } : {}),
  })
  return call.with({ inputs, drop: ['starts', 'ends', 'axes'] })
}

/** Dropout's probability became an input, and training another, which is off where it is left out; its mask was not said then. */
const dropout: Change = (call) => {
  if (call.isRead(1)) throw call.unsupported('has a mask that is read outside of training', 12)
  const ratio = call.float('ratio')
  const inputs =
    ratio === undefined
      ? call.node.inputs
      : withInputs(call.node.inputs, { 1: call.scalar('float32', ratio) })
  return call.with({ inputs, outputs: call.node.outputs.slice(0, 1), drop: ['ratio'] })
}

const scales: Change = (call) => {
  const inputs = withInputs(call.node.inputs, { 1: call.vector('float32', call.floats('scales') ?? []) })
  return call.with({ inputs, drop: ['scales'] })
}

const topK: Change = (call) => {
  const k = call.int('k')
  if (k === undefined) throw call.unsupported('lacks its k', 10)
  return call.with({ inputs: withInputs(call.node.inputs, { 1: call.integers([k]) }), drop: ['k'] })
}

/** Operators whose attributes became inputs, with the version at which they did. */
export const toInputs = {
  Clip: { 11: clip },
  Dropout: { 12: dropout },
  Pad: { 11: pad },
  ReduceSum: { 13: integersToInput('axes', 1) },
  Slice: { 10: slice },
  Split: { 13: integersToInput('split', 1) },
  Squeeze: { 13: integersToInput('axes', 1) },
  TopK: { 10: topK },
  Unsqueeze: { 13: integersToInput('axes', 1) },
  Upsample: { 9: scales },
} satisfies Readonly<Record<string, Changes>>
