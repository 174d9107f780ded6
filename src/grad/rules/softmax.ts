/** Gradients of softmax, and of the losses behind it. */
import { op, type Value } from '../../graph/index.ts'
import { zerosLike } from '../broadcasting.ts'
import type { BackwardCall, GradientRule } from '../rule.ts'
import { unary } from './arithmetic.ts'

/** Rules by operator. */
export const softmaxRules = {
  Softmax: unary((g, call) => {
    const y = call.output(0)
    return op.mul(y, op.sub(g, sum(call, op.mul(g, y))))
  }),
  LogSoftmax: unary((g, call) => op.sub(g, op.mul(op.exp(call.output(0)), sum(call, g)))),
  NegativeLogLikelihoodLoss: (call) => {
    refuseWeights(call)
    return call.wants(0) ? [op.neg(atLabels(call, scaleOf(call, call.gradient)))] : []
  },
  SoftmaxCrossEntropyLoss: {
    needs: () => ['log_prob'],
    gradient: (call) => {
      refuseWeights(call)
      return call.wants(0) ? [crossEntropy(call)] : []
    },
  },
} as const satisfies Record<string, GradientRule>

/** The sum over the axis that softmax goes over. */
function sum(call: BackwardCall, value: Value): Value {
  return op.reduceSum(value, [call.int('axis', -1)], { keepDims: true })
}

function crossEntropy(call: BackwardCall): Value {
  const [loss, byLogarithms] = call.gradients
  const probabilities = op.exp(call.output(1))
  const parts: Value[] = []
  if (loss) {
    const scale = scaleOf(call, loss)
    parts.push(op.sub(op.mul(probabilities, op.unsqueeze(scale, [1])), atLabels(call, scale)))
  }
  if (byLogarithms) {
    const total = op.reduceSum(byLogarithms, [1], { keepDims: true })
    parts.push(op.sub(byLogarithms, op.mul(probabilities, total)))
  }
  return parts.reduce((a, b) => op.add(a, b))
}

/** The factor of each label: its class's weight, 0 where ignored, divided by their sum for a mean, times the gradient by the loss. */
function scaleOf(call: BackwardCall, gradient: Value): Value {
  const weights = call.inputs[2]
  const { dtype } = call.input(0)
  const ignored = ignoredOf(call)
  const labels = labelsOf(call)
  const own = weights ? op.gather(weights, labels) : op.cast(op.equal(labels, labels), dtype)
  const scale = ignored ? op.where(ignored, 0, own) : own
  const reduction = call.string('reduction') ?? 'mean'
  if (reduction !== 'mean') return op.mul(scale, gradient)
  return op.mul(scale, op.div(gradient, op.reduceSum(scale)))
}

/** `scale` at each label, zeros elsewhere, in the shape of the scores. */
function atLabels(call: BackwardCall, scale: Value): Value {
  const indices = op.unsqueeze(labelsOf(call), [1])
  return op.scatterElements(zerosLike(call.input(0)), indices, op.unsqueeze(scale, [1]), { axis: 1 })
}

/** The labels, with 0 for those that are ignored and may be no class. */
function labelsOf(call: BackwardCall): Value {
  const ignored = ignoredOf(call)
  const labels = call.input(1)
  return ignored ? op.where(ignored, 0, labels) : labels
}

function ignoredOf(call: BackwardCall): Value | undefined {
  const index = call.int('ignore_index')
  return index === undefined ? undefined : op.equal(call.input(1), index)
}

function refuseWeights(call: BackwardCall): void {
  if (call.wants(2)) throw call.unsupported('has no gradient by the weights of its classes')
}
