/** Rules of optimisers: nodes from a weight, its gradient and the optimiser's tensors to their next values. */
import { op, type Value } from '../../graph/index.ts'
import type { Adam, Optimizer, Sgd } from './options.ts'

/** The time of an update, as float64 scalars. */
export interface Moment {
  /** The learning rate of the group. */
  readonly rate: Value
  /** Number of this step, from 1. */
  readonly step: Value
}

/** The tensors of one update. */
export interface Update {
  readonly weight: Value
  readonly gradient: Value
  readonly state: readonly Value[]
  /** Results of {@link Rule.scalars}, in the weight's dtype. */
  readonly scalars: readonly Value[]
}

/**
 * The rule of one optimiser with one weight decay. Every operation on a weight-sized tensor is a pass over memory: whatever is the same
 * for all elements is worked out in `scalars`, once for all weights of a group.
 */
export interface Rule {
  /** Names of the tensors kept for each weight, in its shape; zeros at first. */
  readonly state: readonly string[]
  readonly scalars: (moment: Moment) => readonly Value[]
  /** The next weight, then the next state. */
  readonly next: (update: Update) => readonly Value[]
}

/** The rule of an optimiser for weights of this decay. */
export function ruleOf(optimizer: Required<Optimizer>, weightDecay: number): Rule {
  if ('betas' in optimizer) return adam(optimizer, weightDecay)
  const descent = sgd(optimizer, optimizer.kind === 'sgd' ? weightDecay : 0)
  // As in lightly and timm, weights without decay are excluded from the scaling.
  if (optimizer.kind === 'sgd' || weightDecay === 0) return descent
  const { trustCoefficient, eps } = optimizer
  return {
    ...descent,
    next: (update) =>
      descent.next({ ...update, gradient: scaledByTrust(update, { weightDecay, trustCoefficient, eps }) }),
  }
}

function sgd({ momentum, dampening, nesterov }: Required<Omit<Sgd, 'kind'>>, weightDecay: number): Rule {
  return {
    state: momentum === 0 ? [] : ['momentum_buffer'],
    scalars({ rate, step }) {
      // PyTorch does not dampen the first gradient.
      return dampening === 0
        ? [rate]
        : [rate, op.where(op.equal(step, 1), one(rate), number(rate, 1 - dampening))]
    },
    next({ weight, gradient, state: [buffer], scalars: [rate, share] }) {
      const decayed = withDecay(gradient, weight, weightDecay)
      if (!buffer) return [op.sub(weight, op.mul(decayed, rate!))]
      const added = share ? op.mul(decayed, share) : decayed
      const velocity = op.add(op.mul(buffer, momentum), added)
      const direction = nesterov ? op.add(decayed, op.mul(velocity, momentum)) : velocity
      return [op.sub(weight, op.mul(direction, rate!)), velocity]
    },
  }
}

/**
 * Adam with its averages kept as sums: `exp_avg / (1 - β₁)` and `exp_avg_sq / (1 - β₂)`, which saves two of twelve passes. With
 * `q = √((1 - β₂) / (1 - β₂ᵗ))` PyTorch's `lr · m̂ / (√v̂ + eps)` is `lr · (1 - β₁) / (1 - β₁ᵗ) / q · sum / (√squares + eps / q)`.
 */
function adam({ kind, betas, eps, amsgrad }: Required<Adam>, weightDecay: number): Rule {
  const [beta1, beta2] = betas
  const decoupled = kind === 'adamw' && weightDecay !== 0
  return {
    state: amsgrad ? ['exp_avg', 'exp_avg_sq', 'max_exp_avg_sq'] : ['exp_avg', 'exp_avg_sq'],
    scalars({ rate, step }) {
      const q = op.sqrt(op.div(number(step, 1 - beta2), corrected(beta2, step)))
      const size = op.div(op.mul(rate, 1 - beta1), op.mul(corrected(beta1, step), q))
      const kept = decoupled ? [op.sub(one(rate), op.mul(rate, weightDecay))] : []
      return [size, op.div(number(step, eps), q), ...kept]
    },
    next({ weight, gradient, state: [sum, squares, largest], scalars: [size, epsilon, kept] }) {
      const decayed = decoupled ? gradient : withDecay(gradient, weight, weightDecay)
      const nextSum = op.add(op.mul(sum!, beta1), decayed)
      const nextSquares = op.add(op.mul(squares!, beta2), op.mul(decayed, decayed))
      const nextLargest = largest ? [op.max(largest, nextSquares)] : []
      const root = op.add(op.sqrt(nextLargest[0] ?? nextSquares), epsilon!)
      const change = op.mul(op.div(nextSum, root), size!)
      return [op.sub(kept ? op.mul(weight, kept) : weight, change), nextSum, nextSquares, ...nextLargest]
    },
  }
}

/**
 * SparseAdam's rule on the rows that have a gradient, with the sums of {@link adam}: it adds `eps` before the correction of the bias,
 * Adam behind it.
 */
export function sparseAdam({ betas, eps }: Pick<Required<Adam>, 'betas' | 'eps'>): Rule {
  const [beta1, beta2] = betas
  const rule = adam({ kind: 'adam', lr: 0, betas, eps, weightDecay: 0, amsgrad: false }, 0)
  return {
    ...rule,
    scalars({ rate, step }) {
      const q = op.sqrt(op.div(number(step, 1 - beta2), corrected(beta2, step)))
      const size = op.div(op.mul(rate, 1 - beta1), op.mul(corrected(beta1, step), q))
      return [size, number(step, eps / Math.sqrt(1 - beta2))]
    },
  }
}

/** LARS: the gradient with decay, scaled by `trustCoefficient · ‖w‖ / (‖g‖ + decay · ‖w‖ + eps)`; untouched where a norm is 0. */
function scaledByTrust(
  { weight, gradient }: Update,
  options: { readonly weightDecay: number; readonly trustCoefficient: number; readonly eps: number },
): Value {
  const { weightDecay, trustCoefficient, eps } = options
  const [size, slope] = [op.reduceL2(weight), op.reduceL2(gradient)]
  const trust = op.div(op.mul(size, trustCoefficient), op.add(op.add(slope, op.mul(size, weightDecay)), eps))
  const moves = op.greater(op.min(size, slope), 0)
  const ratio = op.where(moves, trust, 1)
  const decay = op.where(moves, op.mul(trust, weightDecay), 0)
  return op.add(op.mul(gradient, ratio), op.mul(weight, decay))
}

function withDecay(gradient: Value, weight: Value, weightDecay: number): Value {
  return weightDecay === 0 ? gradient : op.add(gradient, op.mul(weight, weightDecay))
}

/** `1 - betaᵗ` */
function corrected(beta: number, step: Value): Value {
  return op.sub(one(step), op.pow(number(step, beta), step))
}

function number(like: Value, value: number): Value {
  return like.builder.constant(value, like.dtype)
}

function one(like: Value): Value {
  return number(like, 1)
}
