/** Losses between pictures and their texts: CLIP's and SigLIP's. */
import { op, type Value } from '../../graph/index.ts'
import { checkShape, checkVectors } from './checks.ts'
import { maskedSum, onDiagonal } from './masks.ts'
import { dots, unit } from './vectors.ts'

/** Logarithm of the largest factor of similarities, 100: beyond it training becomes unstable. */
export const MAX_LOGIT_SCALE = Math.log(100)

/** Options of {@link clipLoss}. */
export interface ClipLossOptions {
  /** Logarithm of the factor of similarities: a learned scalar, or a number. Default ln(1/0.07), where CLIP starts. */
  readonly logitScale?: Value | number
  /** Make rows length 1 first. Default true; false for a model that has done so. */
  readonly normalize?: boolean
}

/** Options of {@link sigLipLoss}. */
export interface SigLipLossOptions {
  /** Logarithm of the factor of similarities: a learned scalar, or a number. Default ln 10, where SigLIP starts. */
  readonly logitScale?: Value | number
  /** Added to similarities: a learned scalar, or a number. Default -10, where SigLIP starts. */
  readonly logitBias?: Value | number
  /** Make rows length 1 first. Default true; false for a model that has done so. */
  readonly normalize?: boolean
}

/**
 * Wants each picture nearest to its text among all texts of the batch, and each text to its picture.
 *
 * @example
 * ```ts
 * const scale = parameters.weight('logit_scale', [], { kind: 'constant', value: Math.log(1 / 0.07) })
 * const loss = clipLoss(images, texts, { logitScale: scale })
 * ```
 *
 * @remarks
 * As open_clip's `ClipLoss` (which takes the factor itself). From https://arxiv.org/abs/2103.00020, figure 3. The factor is
 * `exp(min(logitScale, ln 100))`; beyond the bound a learned scale has no gradient, so bound it after each step too, by
 * {@link clampLogitScale}, as open_clip does.
 *
 * @param images [N, D]
 * @param texts [N, D], row by row those of the pictures
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH` (a batch of 1 has no negatives), `DTYPE_MISMATCH`
 */
export function clipLoss(images: Value, texts: Value, options: ClipLossOptions = {}): Value {
  const { logitScale = Math.log(1 / 0.07), normalize = true } = options
  checkVectors({ images, texts }, 2)
  const logits = scaledDots(images, texts, logitScale, normalize) // [N, N]
  const isPair = onDiagonal(logits)
  const ofPairs = (axis: number) => op.reduceMean(maskedSum(op.logSoftmax(logits, axis), isPair, [1]))
  return op.mul(op.add(ofPairs(1), ofPairs(0)), -0.5)
}

/**
 * Asks of each picture and text whether they belong together, as a question of its own.
 *
 * @example
 * ```ts
 * const loss = sigLipLoss(images, texts, { logitScale, logitBias })
 * ```
 *
 * @remarks
 * As open_clip's `SigLipLoss` (which takes the factor itself): the sum over pairs, divided by N. From https://arxiv.org/abs/2303.15343,
 * section 3.2. The scale is bounded as in {@link clipLoss}.
 *
 * @param images [N, D]
 * @param texts [N, D], row by row those of the pictures
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH` (a batch of 1 has no negatives), `DTYPE_MISMATCH`
 */
export function sigLipLoss(images: Value, texts: Value, options: SigLipLossOptions = {}): Value {
  const { logitScale = Math.log(10), logitBias = -10, normalize = true } = options
  checkVectors({ images, texts }, 2)
  if (typeof logitBias !== 'number') checkScalar('logitBias', logitBias)
  const logits = op.add(scaledDots(images, texts, logitScale, normalize), logitBias) // [N, N]
  // -ln σ(z) = softplus(-z), where z is the logit of a pair and minus that of others.
  const costs = op.softplus(op.where(onDiagonal(logits), op.neg(logits), logits))
  return op.reduceMean(op.reduceSum(costs, [1]))
}

/**
 * A learned scale within 0 and ln 100, to store after each step.
 *
 * @example
 * ```ts
 * const next = clampLogitScale(op.sub(scale, op.mul(gradient, rate)))
 * ```
 *
 * @remarks As open_clip's training loop, for CLIP and SigLIP alike.
 */
export function clampLogitScale(logitScale: Value): Value {
  return op.clip(logitScale, 0, MAX_LOGIT_SCALE)
}

/** Similarities times `e` to the scale: [N, N]. */
function scaledDots(images: Value, texts: Value, logitScale: Value | number, normalize: boolean): Value {
  const [a, b] = normalize ? [unit(images), unit(texts)] : [images, texts]
  if (typeof logitScale === 'number') return dots(a, b, Math.exp(Math.min(logitScale, MAX_LOGIT_SCALE)))
  checkScalar('logitScale', logitScale)
  const factor = op.exp(op.clip(logitScale, undefined, MAX_LOGIT_SCALE))
  return dots(op.mul(a, factor), b)
}

function checkScalar(name: string, value: Value): void {
  if (value.shape.length !== 1) checkShape(name, value, [])
  else checkShape(name, value, [1])
}
