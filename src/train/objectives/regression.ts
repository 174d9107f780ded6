/** Losses between numbers and their targets, element by element. */
import { op, type Value } from '../../graph/index.ts'
import { checkFloat, checkOneShape, checkWithin } from './checks.ts'

/**
 * Mean of squared differences.
 *
 * @example
 * ```ts
 * const loss = meanSquaredError(prediction, target)
 * ```
 *
 * @remarks As `torch.nn.MSELoss`.
 *
 * @param prediction any shape
 * @param target the same shape
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`
 */
export function meanSquaredError(prediction: Value, target: Value): Value {
  checkPair(prediction, target)
  const difference = op.sub(prediction, target)
  const count = difference.shape.reduce<number>((product, size) => product * Number(size), 1)
  // Two passes over memory less, on the way back as well.
  if (Number.isFinite(count)) return op.div(op.reduceSumSquare(difference), count)
  return op.reduceMean(squares(difference))
}

/** Options of {@link smoothL1}. */
export interface SmoothL1Options {
  /** Difference at which the parabola becomes a line; 0 leaves the line alone. Default 1. */
  readonly beta?: number
}

/**
 * Mean of differences, squared near zero: `d²/2β` where `|d| < β`, else `|d| - β/2`.
 *
 * @example
 * ```ts
 * const loss = smoothL1(prediction, target, { beta: 0.5 })
 * ```
 *
 * @remarks As `torch.nn.SmoothL1Loss`. From https://arxiv.org/abs/1504.08083, equation 3.
 *
 * @param prediction any shape
 * @param target the same shape
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function smoothL1(prediction: Value, target: Value, { beta = 1 }: SmoothL1Options = {}): Value {
  checkPair(prediction, target)
  checkWithin('beta', beta, 0)
  return op.reduceMean(smoothed(op.sub(prediction, target), beta))
}

/** `d²`, of the shape of `difference`. */
export function squares(difference: Value): Value {
  return op.mul(difference, difference)
}

/** The terms of {@link smoothL1}, of the shape of `difference`. */
export function smoothed(difference: Value, beta: number): Value {
  const distance = op.abs(difference)
  if (beta === 0) return distance
  const near = op.clip(distance, undefined, beta)
  // near (d - near/2) / β: with near = d the parabola, with near = β the line.
  return op.mul(op.mul(near, op.sub(distance, op.mul(near, 0.5))), 1 / beta)
}

function checkPair(prediction: Value, target: Value): void {
  checkFloat('prediction', prediction)
  checkFloat('target', target)
  checkOneShape({ prediction, target })
}
