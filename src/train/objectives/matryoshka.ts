/** A loss over several widths of the same embeddings. */
import { op, type Value } from '../../graph/index.ts'
import { takeFirst } from '../../nn/index.ts'
import { checkFloat, checkWithin, invalid, mismatch, shown } from './checks.ts'
import { unit } from './vectors.ts'

/** Options of {@link matryoshka}. */
export interface MatryoshkaOptions {
  /** Widths that shall work by themselves, each from 1 to the embeddings' width. Name the whole width too. */
  readonly dims: readonly number[]
  /** Weight of each width's loss. Default 1 each. */
  readonly weights?: readonly number[]
  /** Make the cut vectors length 1. Default true; false leaves them as they are. */
  readonly normalize?: boolean
}

/**
 * Makes the first numbers of an embedding an embedding themselves: the sum of a loss over several widths.
 *
 * @example
 * ```ts
 * const loss = matryoshka([anchor, positive], multipleNegativesRanking, { dims: [768, 256, 64] })
 * ```
 *
 * @remarks As sentence-transformers' `MatryoshkaLoss`. From https://arxiv.org/abs/2205.13147, equation 1.
 *
 * @param embeddings all embeddings that are to be cut, [N, D] each
 * @param loss any loss of them, in their order; what else it needs it encloses
 * @returns a scalar
 * @throws PipiloError `OPTION_INVALID` for no widths, ones beyond the embeddings', ones named twice, or wrong weights
 */
export function matryoshka<const Embeddings extends readonly Value[]>(
  embeddings: Embeddings,
  loss: (...embeddings: ValuesOf<Embeddings>) => Value,
  { dims, weights = dims.map(() => 1), normalize = true }: MatryoshkaOptions,
): Value {
  checkDims(embeddings, dims)
  if (weights.length !== dims.length) throw invalid('weights', weights, `${dims.length} numbers, one a width`)
  for (const weight of weights) checkWithin('weights', weight, 0)
  const losses = dims.map((width, i) => {
    const cut = embeddings.map((embedding) => {
      const start = takeFirst(embedding, width)
      return normalize ? unit(start) : start
    }) as ValuesOf<Embeddings>
    const one = loss(...cut)
    return weights[i] === 1 ? one : op.mul(one, weights[i]!)
  })
  return losses.reduce((sum, one) => op.add(sum, one))
}

/** As many values as there are embeddings. */
type ValuesOf<Embeddings extends readonly Value[]> = { -readonly [Key in keyof Embeddings]: Value }

function checkDims(embeddings: readonly Value[], dims: readonly number[]): void {
  if (embeddings.length === 0) throw mismatch('embeddings', 'embeddings has none; one or more are needed.')
  if (dims.length === 0) throw invalid('dims', dims, 'one width or more')
  if (new Set(dims).size !== dims.length) throw invalid('dims', dims, 'widths that differ')
  for (const [i, embedding] of embeddings.entries()) {
    checkFloat(`embeddings[${i}]`, embedding)
    const width = embedding.shape.at(-1)
    if (typeof width !== 'number') {
      throw mismatch(`embeddings[${i}]`, `${shown(`embeddings[${i}]`, embedding)}; its width must be known.`)
    }
    const isWithin = (size: number) => Number.isSafeInteger(size) && size >= 1 && size <= width
    if (!dims.every(isWithin))
      throw invalid('dims', dims, `whole numbers from 1 to ${width}, the embeddings' width`)
  }
}
