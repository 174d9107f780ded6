/** Masks of tokens for masked language modelling. */
import { PipiloError } from '../../base/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { integer, probability, refuse } from './checks.ts'
import { type MaskCounters, randoms } from './masks.ts'

/** Options of {@link tokenMask}. */
export interface TokenMaskOptions extends Omit<MaskCounters, 'count'> {
  /** int64 [batch, length]. */
  readonly input_ids: Tensor
  /** int64 [batch, length], 1 for tokens and 0 for padding. Default: all are tokens. */
  readonly attention_mask?: Tensor
  /** Entries of the vocabulary: random tokens are drawn from all of them. */
  readonly vocabularySize: number
  /** Id of `[MASK]`. */
  readonly maskId: number
  /** Ids that are never chosen: `[CLS]`, `[SEP]`, `[PAD]` and their like. */
  readonly specialIds: readonly number[]
  /** Part of the tokens that is chosen. Default 0.15. */
  readonly ratio?: number
  /** Part of the chosen tokens that becomes `[MASK]`. Default 0.8. */
  readonly masked?: number
  /** Part of the chosen tokens that becomes a random one; the rest stays as it is. Default 0.1. */
  readonly random?: number
}

/** The label that losses pass over, as in PyTorch. */
export const IGNORED_LABEL = -100

/**
 * Chooses tokens to predict, as BERT does: 15 % of them, of which 80 % become `[MASK]`, 10 % a random token and 10 % stay.
 *
 * @example
 * ```ts
 * const { input_ids, labels } = tokenMask({
 *   ...batch, vocabularySize: 30522, maskId: 103, specialIds: [0, 101, 102], seed: 42, step,
 * })
 * ```
 *
 * @remarks
 * Each token is chosen for itself, so texts differ in how many are; as transformers' collator. `labels` are the tokens that were
 * chosen and -100 elsewhere. The same seed, step and index give the same choice. From https://arxiv.org/abs/1810.04805, section 3.1.
 *
 * @returns new tensors, int64 [batch, length]; those given stay as they are
 * @throws PipiloError `OPTION_INVALID`, `DTYPE_MISMATCH`, `SHAPE_MISMATCH`; `INPUT_INVALID` for ids outside of the vocabulary
 */
export function tokenMask(options: TokenMaskOptions): {
  readonly input_ids: Tensor
  readonly labels: Tensor
} {
  const { vocabularySize, maskId, ratio, masked, replaced, special } = checked(options)
  const [count, length] = options.input_ids.shape as [number, number]
  const ids = idsOf('input_ids', options.input_ids).slice()
  const attention = options.attention_mask && idsOf('attention_mask', options.attention_mask, [count, length])
  const labels = new BigInt64Array(ids.length).fill(BigInt(IGNORED_LABEL))
  for (const [row, random] of randoms('tokenMask', { ...options, count }).entries()) {
    for (let i = row * length; i < (row + 1) * length; i++) {
      // Three numbers a token, chosen or not: what is drawn for one does not hang on the others.
      const [choice, change, other] = [random.uniform(), random.uniform(), random.uniform()]
      const id = ids[i]!
      if (id < 0n || id >= BigInt(vocabularySize)) throw outside(id, vocabularySize, row)
      if (choice >= ratio || special.has(id) || attention?.[i] === 0n) continue
      labels[i] = id
      if (change < masked) ids[i] = BigInt(maskId)
      else if (change < masked + replaced) ids[i] = BigInt(Math.floor(other * vocabularySize))
    }
  }
  const shape = [count, length]
  return { input_ids: tensor('int64', shape, ids), labels: tensor('int64', shape, labels) }
}

/** The options of {@link tokenMask} that are known before the texts are. */
export type TokenMaskRates = Pick<
  TokenMaskOptions,
  'vocabularySize' | 'maskId' | 'specialIds' | 'ratio' | 'masked' | 'random'
>

/** @throws PipiloError `OPTION_INVALID`, as {@link tokenMask} would */
export function checkTokenMask(options: TokenMaskRates): void {
  checked(options)
}

function checked(options: TokenMaskRates) {
  const { vocabularySize, maskId, specialIds, ratio = 0.15, masked = 0.8, random: replaced = 0.1 } = options
  // Random tokens are drawn from 24 bits.
  if (integer('vocabularySize', vocabularySize, 1) > 2 ** 24) {
    refuse('vocabularySize', vocabularySize, 'at most 2 to the power of 24')
  }
  for (const [name, id] of [['maskId', maskId], ...specialIds.map((id) => ['specialIds', id])] as [
    string,
    number,
  ][]) {
    if (integer(name, id, 0) >= vocabularySize)
      refuse(name, id, `below ${vocabularySize}, the vocabulary's size`)
  }
  probability('ratio', ratio)
  probability('masked', masked)
  if (probability('random', replaced) + masked > 1 + 1e-9) refuse('random', replaced, `at most 1 - ${masked}`)
  return { vocabularySize, maskId, ratio, masked, replaced, special: new Set(specialIds.map(BigInt)) }
}

function idsOf(name: string, { dtype, shape, data }: Tensor, wanted?: readonly number[]): BigInt64Array {
  if (!(data instanceof BigInt64Array)) {
    throw new PipiloError('DTYPE_MISMATCH', `${name} are int64, not ${dtype}.`, { input: name })
  }
  if (shape.length !== 2 || wanted?.some((size, axis) => size !== shape[axis])) {
    const expected = wanted ?? ['batch', 'length']
    throw new PipiloError(
      'SHAPE_MISMATCH',
      `${name} are [${expected.join(', ')}], not [${shape.join(', ')}].`,
      {
        input: name,
      },
    )
  }
  return data
}

function outside(id: bigint, size: number, row: number): PipiloError {
  return new PipiloError(
    'INPUT_INVALID',
    `Text ${row} has the id ${id}, and the vocabulary ends at ${size - 1}.`,
    {
      input: row,
    },
  )
}
