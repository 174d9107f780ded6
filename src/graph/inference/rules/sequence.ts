/** Recurrent layers, signals, random numbers, quantisation and text: operators whose outputs' dtype is their own. */
import type { DType } from '../../../tensor/index.ts'
import { dtypeOf } from '../../onnx/schema.ts'
import type { Dimension } from '../../types.ts'
import { add, divideFloor, multiply, subtract } from '../dimension.ts'
import { type Call, type Rule, tensor } from '../rule.ts'

/** LSTM, GRU and RNN: all steps, and the last state (and cell). */
const recurrent: Rule = (call) => {
  const dtype = call.dtype(0)
  const input = call.shape(0)
  const directions = call.string('direction') === 'bidirectional' ? 2 : 1
  const hidden = call.int('hidden_size') ?? call.shape(2)?.[2] ?? ''
  if (!input) return [tensor(dtype), tensor(dtype), tensor(dtype)]
  const batchFirst = call.int('layout', 0) !== 0
  const [steps, batch] = batchFirst ? [input[1]!, input[0]!] : [input[0]!, input[1]!]
  const all = batchFirst ? [batch, steps, directions, hidden] : [steps, directions, batch, hidden]
  const last = tensor(dtype, batchFirst ? [batch, directions, hidden] : [directions, batch, hidden])
  return [tensor(dtype, all), last, last]
}

const random: Rule = (call) => [tensor(dtypeOf(call.int('dtype', 1)) ?? 'float32', call.ints('shape'))]

const randomLike: Rule = (call) => [tensor(dtypeOf(call.int('dtype', 0)) ?? call.dtype(0), call.shape(0))]

const multinomial: Rule = (call) => [
  tensor(dtypeOf(call.int('dtype', 6)), [call.shape(0)?.[0] ?? call.fresh(0, 0), call.int('sample_size', 1)]),
]

const quantize: Rule = (call) => [
  tensor(call.dtype(2) ?? dtypeOf(call.int('output_dtype', 0)) ?? 'uint8', call.shape(0)),
]

const dequantize: Rule = (call) => [
  tensor(dtypeOf(call.int('output_dtype', 0)) ?? call.dtype(1), call.shape(0)),
]

const dynamicQuantize: Rule = (call) => [
  tensor('uint8', call.shape(0)),
  tensor('float32', []),
  tensor('uint8', []),
]

const stft: Rule = (call) => {
  const signal = call.shape(0)
  const step = call.numbers(1)?.[0]
  const frame = call.numbers(3)?.[0] ?? call.shape(2)?.[0]
  if (!signal || !step || typeof frame !== 'number') return [tensor(call.dtype(0))]
  const frames = add(divideFloor(subtract(signal[1]!, frame), step), 1)
  const bins = call.int('onesided', 1) ? Math.floor(frame / 2) + 1 : frame
  return [tensor(call.dtype(0), [signal[0]!, frames, bins, 2])]
}

const dft: Rule = (call) => {
  const shape = call.shape(0)
  if (!shape) return [tensor(call.dtype(0))]
  if (call.has(2) && !call.numbers(2)) return [tensor(call.dtype(0), call.freshShape(0, shape.length))]
  const axis = call.axis(call.int('axis') ?? call.numbers(2)?.[0] ?? (call.opset < 20 ? 1 : -2), shape.length)
  const half = call.int('onesided', 0) !== 0
  const inverse = call.int('inverse', 0) !== 0
  const whole = half && inverse ? multiply(subtract(shape[axis]!, 1), 2) : shape[axis]!
  const length = call.has(1) ? (call.content(1)?.[0] ?? '') : whole
  const size = half && !inverse ? add(divideFloor(length, 2), 1) : length
  const last = half && inverse ? 1 : 2
  const sizes = shape.map((d, i): Dimension => (i === axis ? size : i === shape.length - 1 ? last : d))
  return [tensor(call.dtype(0), sizes)]
}

const windowOf: Rule = (call) => [
  tensor(dtypeOf(call.int('output_datatype', 1)), [call.content(0)?.[0] || call.fresh(0, 0)]),
]

const melWeights: Rule = (call) => {
  const [mels, length] = [call.content(0)?.[0] ?? '', call.content(1)?.[0] ?? '']
  return [tensor(dtypeOf(call.int('output_datatype', 1)), [add(divideFloor(length, 2), 1), mels])]
}

/** ONNX's attention (operator set 23): of rank 4 [batch, heads, tokens, size], or rank 3 with heads side by side. */
const attention: Rule = (call) => {
  const [query, key, value] = [call.shape(0), call.shape(1), call.shape(2)]
  const dtype = call.dtype(0)
  if (!query || !key || !value || query.length !== 4) return [tensor(dtype, wide(call))]
  const past = call.shape(4)?.[2]
  const total = past === undefined ? key[2]! : add(past, key[2]!)
  return [
    tensor(dtype, [query[0]!, query[1]!, query[2]!, value[3]!]),
    tensor(call.dtype(1), [key[0]!, key[1]!, total, key[3]!]),
    tensor(call.dtype(2), [value[0]!, value[1]!, total, value[3]!]),
    tensor(dtype, [query[0]!, query[1]!, query[2]!, total]),
  ]
}

function wide(call: Call): readonly Dimension[] | undefined {
  const [query, value] = [call.shape(0), call.shape(2)]
  const heads = call.int('q_num_heads')
  const valueHeads = call.int('kv_num_heads')
  const features = value?.[2]
  if (query?.length !== 3 || !heads || !valueHeads || typeof features !== 'number') return undefined
  return [query[0]!, query[1]!, (features / valueHeads) * heads]
}

const same =
  (dtype?: DType): Rule =>
  (call) => [tensor(dtype ?? call.dtype(0), call.shape(0))]

export const sequence = {
  LSTM: recurrent,
  GRU: recurrent,
  RNN: recurrent,
  RandomNormal: random,
  RandomUniform: random,
  RandomNormalLike: randomLike,
  RandomUniformLike: randomLike,
  Bernoulli: randomLike,
  Multinomial: multinomial,
  QuantizeLinear: quantize,
  DequantizeLinear: dequantize,
  DynamicQuantizeLinear: dynamicQuantize,
  STFT: stft,
  DFT: dft,
  HannWindow: windowOf,
  HammingWindow: windowOf,
  BlackmanWindow: windowOf,
  MelWeightMatrix: melWeights,
  Attention: attention,
  RotaryEmbedding: same(),
  StringNormalizer: (call) => {
    const shape = call.shape(0)
    return [
      tensor(
        'string',
        shape?.map((d, i) => (i === shape.length - 1 ? call.fresh(0, i) : d)),
      ),
    ]
  },
  StringConcat: same('string'),
  RegexFullMatch: same('bool'),
} satisfies Readonly<Record<string, Rule>>
