/** Operators that work element by element, with broadcasting. */
import { op, type Value } from '../../../../graph/index.ts'
import { FeatureMap, type Laid, OwnOrder } from '../laid.ts'
import type { NodeCall, OperatorRule, Rules } from '../nodeCall.ts'

/** Works on feature maps where one is among the inputs, so that the order of axes stays as it is. */
export function elementwise(inputs: readonly Laid[], apply: (...values: Value[]) => Value): Laid {
  const asMaps = inputs.some(({ order }) => order === 'map') && inputs.every(({ rank }) => rank <= 4)
  return asMaps
    ? new FeatureMap(apply(...inputs.map(({ map }) => map)))
    : new OwnOrder(apply(...inputs.map(({ value }) => value)))
}

const unary =
  (apply: (x: Value, call: NodeCall) => Value): OperatorRule =>
  (call) =>
    elementwise([call.laid(0)], (x) => apply(x, call))

const binary =
  (apply: (a: Value, b: Value) => Value): OperatorRule =>
  (call) =>
    elementwise([call.laid(0), call.laid(1)], apply)

/** An operator that ONNX has under the same name. */
const same = (x: Value, call: NodeCall) => call.builder.node(call.node.op, [x])[0]!

const isInteger = (x: Value) => x.dtype === 'int64'
const square = (x: Value) => op.mul(x, x)
const add = binary(op.add)
const divide = binary(op.div)

/** Rounds down, also for negative integers, which ONNX divides towards zero. */
function floorDivide(a: Value, b: Value): Value {
  return isInteger(a) ? op.div(op.sub(a, op.mod(a, b)), b) : op.floor(op.div(a, b))
}

/** With the sign of the divisor, as TensorFlow.js has both kinds of remainders. */
function floorModulo(a: Value, b: Value): Value {
  return isInteger(a) ? op.mod(a, b) : op.sub(a, op.mul(op.floor(op.div(a, b)), b))
}

const select: OperatorRule = (call) => elementwise([call.laid(0), call.laid(1), call.laid(2)], op.where)

/** Activations that stand alone and those fused into other operators, by their names in either place. */
const activations: Readonly<Record<string, (x: Value, call: NodeCall) => Value>> = {
  Elu: (x) => op.elu(x),
  LeakyRelu: (x, call) => op.leakyRelu(x, slope(call)),
  Relu: op.relu,
  Relu6: (x) => op.clip(x, 0, 6),
  Sigmoid: op.sigmoid,
  Tanh: op.tanh,
}

function slope(call: NodeCall): number {
  return call.float(call.node.op === 'LeakyRelu' ? 'alpha' : 'leakyrelu_alpha', 0.2)
}

/** Applies the rest of a fused operator: the bias, then an activation, whose own parameters come last among the inputs. */
export function finish(call: NodeCall, result: Laid, firstExtra: number): Laid {
  const fused = call.texts('fused_ops')
  let next = firstExtra
  return fused.reduce((x, name) => {
    if (name === 'BiasAdd') return elementwise([x, call.laid(next++)], op.add)
    if (name === 'Prelu') return elementwise([x, call.laid(next++)], op.prelu)
    const activate = Object.hasOwn(activations, name) ? activations[name] : undefined
    if (!activate) return call.unsupported(`the fused operator ${name}`)
    return elementwise([x], (value) => activate(value, call))
  }, result)
}

export const elementwiseRules: Rules = {
  ...Object.fromEntries(Object.entries(activations).map(([name, apply]) => [name, unary(apply)])),
  ...Object.fromEntries(
    `Abs Acos Acosh Asin Asinh Atan Atanh Ceil Cos Cosh Erf Exp Floor Log Neg Reciprocal Round Selu Sign Sin Sinh Softplus
     Sqrt Tan`
      .split(/\s+/)
      .map((name) => [name, unary(same)]),
  ),
  Expm1: unary((x) => op.sub(op.exp(x), 1)),
  IsNan: unary(op.isNotANumber),
  Log1p: unary((x) => op.log(op.add(x, 1))),
  LogicalNot: unary(op.not),
  Rsqrt: unary((x) => op.reciprocal(op.sqrt(x))),
  Square: unary(square),
  Cast: (call) => {
    const { distinct } = call.laid(0)
    const laid = elementwise([call.laid(0)], (x) => op.cast(x, call.dtype('DstT')))
    return distinct ? new OwnOrder(laid.value, true) : laid
  },
  ClipByValue: (call) =>
    elementwise([call.laid(0), call.laid(1), call.laid(2)], (x, low, high) => op.min(op.max(x, low), high)),
  Add: add,
  AddV2: add,
  BiasAdd: (call) =>
    call.text('data_format', 'NHWC') === 'NHWC' ? add(call) : call.unsupported('channels that come first'),
  AddN: (call) => elementwise(call.inputs, (...values) => values.reduce((sum, value) => op.add(sum, value))),
  Sub: binary(op.sub),
  Mul: binary(op.mul),
  Div: divide,
  RealDiv: divide,
  DivNoNan: binary((a, b) => op.where(op.equal(b, 0), 0, op.div(a, b))),
  FloorDiv: binary(floorDivide),
  FloorMod: binary(floorModulo),
  Mod: binary(floorModulo),
  Maximum: binary(op.max),
  Minimum: binary(op.min),
  Pow: binary(op.pow),
  Prelu: binary(op.prelu),
  SquaredDifference: binary((a, b) => square(op.sub(a, b))),
  Equal: binary(op.equal),
  NotEqual: binary((a, b) => op.not(op.equal(a, b))),
  Greater: binary(op.greater),
  GreaterEqual: binary(op.greaterOrEqual),
  Less: binary(op.less),
  LessEqual: binary(op.lessOrEqual),
  LogicalAnd: binary(op.and),
  LogicalOr: binary(op.or),
  Select: select,
  SelectV2: select,
}
