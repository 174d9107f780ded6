import { describe, expect, it } from 'vitest'
import type { ErrorCode } from '../../base/index.ts'
import { Builder, type Value } from '../../graph/index.ts'
import type { DType } from '../../tensor/index.ts'
import * as train from '../index.ts'

let count = 0
const b = new Builder()
const value = (shape: readonly (number | string)[], dtype: DType = 'float32'): Value =>
  b.input(`x${count++}`, dtype, shape)

const rows = value([6, 8])
const others = value([6, 8])
const one = value([1, 8])
const other = value([1, 8])
const shorter = value([5, 8])
const narrow = value([6, 4])
const any = value(['batch', 8])
const classes = value([6], 'int64')
const tokens = value([2, 5, 4])

/** What is asked, the code, and words that the sentence has. */
const mistakes: readonly (readonly [string, () => Value, ErrorCode, RegExp])[] = [
  [
    'one pair for SimCLR',
    () => train.ntXent(one, other),
    'SHAPE_MISMATCH',
    /first is \[1, 8\].*batches of 2/,
  ],
  ['one pair for CLIP', () => train.clipLoss(one, other), 'SHAPE_MISMATCH', /images is \[1, 8\]/],
  ['one pair for SigLIP', () => train.sigLipLoss(one, other), 'SHAPE_MISMATCH', /images is \[1, 8\]/],
  [
    'one pair to rank',
    () => train.multipleNegativesRanking(one, other),
    'SHAPE_MISMATCH',
    /anchor is \[1, 8\]/,
  ],
  ['one pair in order', () => train.coSent(one, other, value([1])), 'SHAPE_MISMATCH', /a is \[1, 8\]/],
  [
    'one row of a class',
    () => train.batchHardTriplet(one, value([1], 'int64')),
    'SHAPE_MISMATCH',
    /batches of 2/,
  ],
  [
    'one view of one input',
    () => train.supervisedContrastive(one, value([1], 'int64')),
    'SHAPE_MISMATCH',
    /views\[0\] is \[1, 8\]/,
  ],
  ['no view', () => train.supervisedContrastive([], classes), 'SHAPE_MISMATCH', /has none/],
  [
    'two rows for a divergence',
    () => train.similarityDistillation(value([2, 8]), value([2, 4]), { divergence: 'kl' }),
    'SHAPE_MISMATCH',
    /batches of 3/,
  ],
  [
    'rows of another number',
    () => train.ntXent(rows, shorter),
    'SHAPE_MISMATCH',
    /\[6, 8\] and second is \[5, 8\]/,
  ],
  [
    'rows of another width',
    () => train.tripletLoss(rows, others, narrow),
    'SHAPE_MISMATCH',
    /negative is \[6, 4\]/,
  ],
  ['one row against many', () => train.meanSquaredError(any, one), 'SHAPE_MISMATCH', /one shape/],
  ['numbers of another shape', () => train.smoothL1(tokens, rows), 'SHAPE_MISMATCH', /target is \[6, 8\]/],
  ['too few labels', () => train.crossEntropy(rows, value([5], 'int64')), 'SHAPE_MISMATCH', /must be \[6\]/],
  [
    'labels of one column',
    () => train.crossEntropy(rows, value([6, 1], 'int64')),
    'SHAPE_MISMATCH',
    /must be \[6\]/,
  ],
  ['labels that are floats', () => train.crossEntropy(rows, value([6])), 'DTYPE_MISMATCH', /int64/],
  [
    'logits that are integers',
    () => train.crossEntropy(value([6, 8], 'int64'), classes),
    'DTYPE_MISMATCH',
    /float/,
  ],
  ['vectors that are integers', () => train.ntXent(value([6, 8], 'int64'), rows), 'DTYPE_MISMATCH', /float/],
  ['tokens for vectors', () => train.ntXent(tokens, tokens), 'SHAPE_MISMATCH', /\[rows, width\]/],
  [
    'a temperature of 0',
    () => train.ntXent(rows, others, { temperature: 0 }),
    'OPTION_INVALID',
    /temperature is 0/,
  ],
  [
    'a temperature below 0',
    () => train.supervisedContrastive(rows, classes, { temperature: -0.1 }),
    'OPTION_INVALID',
    /above 0/,
  ],
  ['no temperature', () => train.simCse(rows, others, { temperature: Number.NaN }), 'OPTION_INVALID', /NaN/],
  ['one value as both views', () => train.simCse(rows, rows), 'SHAPE_MISMATCH', /dropout/],
  [
    'a scale of 0',
    () => train.multipleNegativesRanking(rows, others, { scale: 0 }),
    'OPTION_INVALID',
    /scale/,
  ],
  [
    'a margin below 0',
    () => train.contrastive(rows, others, classes, { margin: -1 }),
    'OPTION_INVALID',
    /from 0/,
  ],
  [
    'a distance of another name',
    () => train.tripletLoss(rows, others, rows, { distance: 'l2' as 'cosine' }),
    'OPTION_INVALID',
    /"l2".*euclidean, cosine, manhattan/,
  ],
  [
    'smoothing above 1',
    () => train.crossEntropy(rows, classes, { labelSmoothing: 2 }),
    'OPTION_INVALID',
    /0 to 1/,
  ],
  [
    'too few weights',
    () => train.crossEntropy(rows, classes, { weight: [1, 2] }),
    'OPTION_INVALID',
    /8 numbers/,
  ],
  [
    'a weight below 0',
    () => train.crossEntropy(narrow, classes, { weight: [1, 1, 1, -1] }),
    'OPTION_INVALID',
    /from 0/,
  ],
  ['a width beyond', () => matryoshka([16]), 'OPTION_INVALID', /1 to 8, the embeddings' width/],
  ['no width', () => matryoshka([]), 'OPTION_INVALID', /one width/],
  ['a width twice', () => matryoshka([8, 8]), 'OPTION_INVALID', /differ/],
  ['half a width', () => matryoshka([2.5]), 'OPTION_INVALID', /whole numbers/],
  ['one weight of two', () => matryoshka([8, 4], [1]), 'OPTION_INVALID', /2 numbers/],
  [
    'more layers than there are',
    () => train.data2vecTarget([tokens], { averageTopKLayers: 2 }),
    'OPTION_INVALID',
    /1 to 1/,
  ],
  ['no layers', () => train.data2vecTarget([]), 'SHAPE_MISMATCH', /has none/],
  [
    'patches that do not fit',
    () => train.patchify(value([2, 3, 30, 32]), 16),
    'SHAPE_MISMATCH',
    /multiples of 16/,
  ],
  ['patches of no size', () => train.patchify(value([2, 3, 32, 32]), 0), 'OPTION_INVALID', /from 1/],
  [
    'an odd width of angles',
    () => train.angleLoss(value([6, 7]), value([6, 7]), value([6])),
    'SHAPE_MISMATCH',
    /even/,
  ],
  [
    'one candidate',
    () => train.scoreDistillation(rows, [others], value([6, 1])),
    'SHAPE_MISMATCH',
    /two or more/,
  ],
  [
    'scores of another number',
    () => train.marginMse(rows, others, [rows], value([6, 3])),
    'SHAPE_MISMATCH',
    /\[6, 2\]/,
  ],
  [
    'a scale of many',
    () => train.clipLoss(rows, others, { logitScale: rows }),
    'SHAPE_MISMATCH',
    /must be \[\]/,
  ],
]

function matryoshka(dims: readonly number[], weights?: readonly number[]): Value {
  return train.matryoshka([rows, others], train.multipleNegativesRanking, {
    dims,
    ...(weights && { weights }),
  })
}

describe('losses refuse', () => {
  it.each(mistakes)('%s', (_, build, code, words) => {
    expect(build).toThrow(expect.objectContaining({ code, message: expect.stringMatching(words) }))
  })
})
