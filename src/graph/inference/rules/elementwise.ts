/** Operators that work element by element, with broadcasting. */
import type { DType } from '../../../tensor/index.ts'
import { dtypeOf } from '../../onnx/schema.ts'
import type { Dimension } from '../../types.ts'
import * as dimension from '../dimension.ts'
import { broadcast, type Call, CONTENT_LIMIT, type Fact, forEach, type Rule, tensor } from '../rule.ts'

type Fold = (a: Dimension, b: Dimension) => Dimension

/** Applies `fold` where both contents are known, broadcasting rank 0 and 1. */
function foldContent(call: Call, fold: Fold, a = 0, b = 1): readonly Dimension[] | undefined {
  const left = call.content(a)
  const right = call.content(b)
  if (!left || !right) return undefined
  const length = left.length === 1 ? right.length : left.length
  if (length > CONTENT_LIMIT) return undefined
  return Array.from({ length }, (_, i) =>
    fold(left[left.length === 1 ? 0 : i] ?? '', right[right.length === 1 ? 0 : i] ?? ''),
  )
}

const numeric =
  (f: (a: number, b: number) => number | boolean): Fold =>
  (a, b) =>
    typeof a === 'number' && typeof b === 'number' ? Number(f(a, b)) : ''

function binary(fold?: Fold, result?: DType): Rule {
  return (call) => {
    const dtype = call.sameDtype(0, 1)
    const shape = broadcast(call, call.shape(0), call.shape(1))
    return [tensor(result ?? dtype, shape, fold && foldContent(call, fold))]
  }
}

const divide: Rule = (call) => {
  const integer = /int/.test(call.dtype(0) ?? '')
  const fold: Fold = (a, b) => {
    if (typeof a === 'number' && typeof b === 'number') {
      return b === 0 ? '' : integer ? Math.trunc(a / b) : a / b
    }
    if (b === 1) return a
    return integer ? dimension.divideFloor(a, b) : ''
  }
  return binary(fold)(call)
}

const equal: Fold = (a, b) => {
  if (a === '' || b === '') return ''
  const difference = dimension.subtract(a, b)
  if (typeof difference === 'number') return Number(difference === 0)
  // A size is never negative: shape arithmetic compares with -1 to find what to keep.
  return (typeof a === 'number' && a < 0) || (typeof b === 'number' && b < 0) ? 0 : ''
}

const modulo: Rule = (call) => {
  const floor = call.int('fmod', 0) === 0
  return binary(numeric((a, b) => (floor ? a - b * Math.floor(a / b) : a % b)))(call)
}

function unary(fold?: (a: Dimension) => Dimension, result?: DType): Rule {
  return (call) => [
    tensor(result ?? call.dtype(0), call.shape(0), fold && call.content(0)?.map((element) => fold(element))),
  ]
}

const variadic =
  (fold?: Fold): Rule =>
  (call) => {
    const all = call.inputs.map((_, index) => index)
    const dtype = call.sameDtype(...all)
    const shape = broadcast(call, ...all.map((index) => call.shape(index)))
    const content = fold && all.length === 2 ? foldContent(call, fold) : undefined
    return [tensor(dtype, shape, all.length === 1 ? call.content(0) : content)]
  }

const where: Rule = (call) => {
  const dtype = call.sameDtype(1, 2)
  const shape = broadcast(call, call.shape(0), call.shape(1), call.shape(2))
  const condition = call.content(0)
  const [yes, no] = [call.content(1), call.content(2)]
  const length = Math.max(condition?.length ?? 0, yes?.length ?? 0, no?.length ?? 0)
  const at = (content: readonly Dimension[], i: number) => content[content.length === 1 ? 0 : i] ?? ''
  const content =
    condition &&
    yes &&
    no &&
    Array.from({ length }, (_, i) => {
      const choice = at(condition, i)
      return choice === '' ? '' : choice ? at(yes, i) : at(no, i)
    })
  return [tensor(dtype, shape, content)]
}

const cast: Rule = (call) => {
  const dtype = dtypeOf(call.int('to', 0))
  const integer = /int/.test(dtype ?? '')
  const content = call.content(0)?.map((element) => {
    if (typeof element !== 'number') return element
    return dtype === 'bool' ? Number(element !== 0) : integer ? Math.trunc(element) : element
  })
  return [tensor(dtype, call.shape(0), content)]
}

const clip: Rule = (call) => {
  call.sameDtype(0, 1, 2)
  return [tensor(call.dtype(0), call.shape(0))]
}

const prelu: Rule = (call) => [tensor(call.sameDtype(0, 1), call.shape(0))]

const dropout: Rule = (call) => [
  tensor(call.dtype(0), call.shape(0), call.content(0)),
  tensor('bool', call.shape(0)),
]

const round = (f: (a: number) => number) => unary((a) => (typeof a === 'number' ? f(a) : a))
const float = unary()
const compare = (f: (a: number, b: number) => boolean) => binary(numeric(f), 'bool')
const same: Rule = (call): readonly Fact[] => [
  { type: call.inputs[0]?.type, content: call.inputs[0]?.content },
]

export const elementwise = {
  Add: binary(dimension.add),
  Sub: binary(dimension.subtract),
  Mul: binary(dimension.multiply),
  Div: divide,
  Mod: modulo,
  Pow: (call) => [tensor(call.dtype(0), broadcast(call, call.shape(0), call.shape(1)))],
  BitShift: binary(),
  BitwiseAnd: binary(),
  BitwiseOr: binary(),
  BitwiseXor: binary(),
  And: compare((a, b) => a !== 0 && b !== 0),
  Or: compare((a, b) => a !== 0 || b !== 0),
  Xor: compare((a, b) => (a !== 0) !== (b !== 0)),
  Equal: binary(equal, 'bool'),
  Greater: compare((a, b) => a > b),
  GreaterOrEqual: compare((a, b) => a >= b),
  Less: compare((a, b) => a < b),
  LessOrEqual: compare((a, b) => a <= b),
  Max: variadic((a, b) => dimension.extreme('max', a, b)),
  Min: variadic((a, b) => dimension.extreme('min', a, b)),
  Sum: variadic(),
  Mean: variadic(),
  Where: where,
  Cast: cast,
  BitCast: (call) => [tensor(dtypeOf(call.int('to', 0)), call.shape(0))],
  CastLike: (call) => [tensor(call.dtype(1), call.shape(0), call.content(0))],
  Clip: clip,
  PRelu: prelu,
  Dropout: dropout,
  Not: unary((a) => (typeof a === 'number' ? Number(a === 0) : ''), 'bool'),
  IsInf: unary(undefined, 'bool'),
  IsNaN: unary(undefined, 'bool'),
  Neg: unary((a) => dimension.multiply(a, -1)),
  Abs: unary((a) => (typeof a === 'number' ? Math.abs(a) : '')),
  Floor: round(Math.floor),
  Ceil: round(Math.ceil),
  Round: float,
  Sqrt: unary((a) => (typeof a === 'number' ? Math.sqrt(a) : '')),
  Identity: same,
  ...forEach(
    [
      'Acos',
      'Acosh',
      'Asin',
      'Asinh',
      'Atan',
      'Atanh',
      'Cos',
      'Cosh',
      'Sin',
      'Sinh',
      'Tan',
      'Tanh',
      'Erf',
      'Exp',
      'Log',
      'Reciprocal',
      'Sign',
      'Relu',
      'LeakyRelu',
      'ThresholdedRelu',
      'Elu',
      'Celu',
      'Selu',
      'Gelu',
      'Sigmoid',
      'HardSigmoid',
      'HardSwish',
      'Mish',
      'Swish',
      'Shrink',
      'Softplus',
      'Softsign',
      'BitwiseNot',
      'LogSoftmax',
      'Softmax',
      'Hardmax',
      'CumSum',
      'CumProd',
      'Trilu',
      'LpNormalization',
      'LRN',
      'MeanVarianceNormalization',
      'GroupNormalization',
      'InstanceNormalization',
      'RMSNormalization',
      'ScatterElements',
      'ScatterND',
      'Scatter',
      'ReverseSequence',
      'RandomNormalUpdate',
      'TensorScatter',
    ],
    float,
  ),
} satisfies Readonly<Record<string, Rule>>
