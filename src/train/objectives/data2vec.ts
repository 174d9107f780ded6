/** The target and the loss of data2vec. */
import { op, type Value } from '../../graph/index.ts'
import {
  checkChoice,
  checkFloat,
  checkOneShape,
  checkPositive,
  checkShape,
  checkWithin,
  invalid,
  mismatch,
  shown,
} from './checks.ts'
import { smoothed, squares } from './regression.ts'
import { standardize } from './standardize.ts'

/** Standardisation of a teacher's tokens: of each token over its features, of each feature over an input's tokens, or over the batch's. */
export type TargetNorm = 'layer' | 'instance' | 'batch' | 'none'

const AXES = { layer: [2], instance: [1], batch: [0, 1] } as const
/** All of {@link TargetNorm}. */
export const NORMS: readonly TargetNorm[] = ['layer', 'instance', 'batch', 'none']

/** Options of {@link data2vecTarget}. */
export interface Data2VecTargetOptions {
  /** Number of last layers that are averaged. Default 8, or all where there are fewer. */
  readonly averageTopKLayers?: number
  /** Standardisation of each layer before the mean. Default `layer`, as the paper has it for text and pictures; `instance` for speech. */
  readonly layerNorm?: TargetNorm
  /** Standardisation of the mean. Default `none`. */
  readonly targetNorm?: Exclude<TargetNorm, 'batch'>
}

/**
 * A teacher's layers as the target of data2vec: the mean of the last K, each standardised.
 *
 * @example
 * ```ts
 * const target = data2vecTarget(teacherLayers, { averageTopKLayers: 8 })
 * ```
 *
 * @remarks
 * As fairseq's data2vec: `layerNorm` is one of its `…_norm_target_layer`, `targetNorm` one of its `…_norm_targets`, epsilon 1e-5.
 * From https://arxiv.org/abs/2202.03555, section 3.3.
 *
 * @param layers outputs of the teacher's blocks from first to last, [N, tokens, D] each
 * @returns [N, tokens, D]
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function data2vecTarget(layers: readonly Value[], options: Data2VecTargetOptions = {}): Value {
  const { averageTopKLayers = Math.min(8, layers.length), layerNorm = 'layer', targetNorm = 'none' } = options
  checkChoice('layerNorm', layerNorm, NORMS)
  checkChoice(
    'targetNorm',
    targetNorm,
    NORMS.filter((norm) => norm !== 'batch'),
  )
  if (layers.length === 0) throw mismatch('layers', 'layers has none; one or more are needed.')
  if (
    !Number.isSafeInteger(averageTopKLayers) ||
    averageTopKLayers < 1 ||
    averageTopKLayers > layers.length
  ) {
    throw invalid('averageTopKLayers', averageTopKLayers, `a whole number from 1 to ${layers.length}`)
  }
  for (const [i, layer] of layers.entries()) checkTokens(`layers[${i}]`, layer)
  checkOneShape(Object.fromEntries(layers.map((layer, i) => [`layers[${i}]`, layer])))
  const last = layers.slice(-averageTopKLayers).map((layer) => normed(layer, layerNorm))
  const sum = last.reduce((before, layer) => op.add(before, layer))
  return normed(op.mul(sum, 1 / last.length), targetNorm)
}

/** Options of {@link data2vecLoss}. */
export interface Data2VecLossOptions {
  /** Difference at which squares become lines, as in `smoothL1`; 0 for squares alone. Default 0. */
  readonly beta?: number
  /** Factor of the loss. Default `1/√D`. */
  readonly scale?: number
}

/**
 * Distance of a student's masked tokens from the teacher's: differences summed over features, then the mean over masked tokens.
 *
 * @example
 * ```ts
 * const loss = data2vecLoss(student, data2vecTarget(teacherLayers), mask)
 * ```
 *
 * @remarks
 * As fairseq's data2vec for text and pictures. From https://arxiv.org/abs/2202.03555, equation 3. A batch without masked tokens is NaN.
 *
 * @param prediction [N, tokens, D]
 * @param target [N, tokens, D], by {@link data2vecTarget}
 * @param mask [N, tokens], any dtype: 1 where the student's input was masked
 * @returns a scalar
 * @throws PipiloError `SHAPE_MISMATCH`, `DTYPE_MISMATCH`, `OPTION_INVALID`
 */
export function data2vecLoss(
  prediction: Value,
  target: Value,
  mask: Value,
  { beta = 0, scale }: Data2VecLossOptions = {},
): Value {
  checkTokens('prediction', prediction)
  checkFloat('target', target)
  checkOneShape({ prediction, target })
  checkShape('mask', mask, prediction.shape.slice(0, 2))
  checkWithin('beta', beta, 0)
  const factor = scale ?? 1 / Math.sqrt(widthOf(prediction))
  checkPositive('scale', factor)
  const difference = op.sub(prediction, target)
  const terms = beta === 0 ? squares(difference) : smoothed(difference, beta) // [N, tokens, D]
  const isMasked = op.cast(mask, prediction.dtype) // [N, tokens]
  const sum = op.reduceSum(op.mul(op.reduceSum(terms, [2]), isMasked))
  return op.mul(op.div(sum, op.reduceSum(isMasked)), factor)
}

function normed(tokens: Value, norm: TargetNorm): Value {
  if (norm === 'none') return tokens
  return standardize(tokens, AXES[norm])
}

function widthOf(tokens: Value): number {
  const width = tokens.shape[2]
  if (typeof width === 'number') return width
  throw mismatch('prediction', `${shown('prediction', tokens)}; its width must be known, or scale given.`)
}

function checkTokens(name: string, value: Value): void {
  checkFloat(name, value)
  if (value.shape.length === 3) return
  throw mismatch(name, `${shown(name, value)}; it must be [N, tokens, D].`)
}
