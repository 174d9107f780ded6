/** Masks of patches for masked image modelling: random ones and blocks. */
import { type Random, seeded } from '../../nn/index.ts'
import { type Tensor, tensor } from '../../tensor/index.ts'
import { integer, number, positiveRange, refuse } from './checks.ts'
import { upTo } from './pixels.ts'
import type { Range } from './steps.ts'

/** The counter that a batch's masks are drawn from. */
export interface MaskCounters {
  readonly seed: number
  readonly step: number
  /** Pictures or texts. */
  readonly count: number
  /** Index of the first one in its batch, for a batch in parts. Default 0. */
  readonly first?: number
}

/** Options of {@link patchMask}. */
export interface PatchMaskOptions extends MaskCounters {
  /** Patches of a picture. */
  readonly patches: number
  /** Part of them that is masked, from 0 up to but not including 1. Default 0.75. */
  readonly ratio?: number
}

/** Masks of a batch. */
export interface PatchMasks {
  /** int64 [batch, kept]: places of the patches that are kept, in random order. */
  readonly ids_keep: Tensor
  /** int64 [batch, patches]: where, in kept patches followed by masked ones, each patch lies; gathering by it restores their order. */
  readonly ids_restore: Tensor
  /** bool [batch, patches]: true where masked. */
  readonly mask: Tensor
}

/**
 * Random masks of patches, as MAE draws them: noise is sorted, and the patches with the least of it are kept.
 *
 * @example
 * ```ts
 * const { ids_keep, ids_restore, mask } = patchMask({ patches: 64, ratio: 0.75, seed: 42, step, count: 256 })
 * ```
 *
 * @remarks
 * `⌊patches · (1 - ratio)⌋` patches are kept, as in MAE's code. The same seed, step and index give the same mask.
 * From https://arxiv.org/abs/2111.06377.
 *
 * @throws PipiloError `OPTION_INVALID`
 */
export function patchMask(options: PatchMaskOptions): PatchMasks {
  const { patches, ratio = 0.75 } = options
  const { count } = checkedCounters(options)
  integer('patches', patches, 1)
  number('ratio', ratio, 0, 1)
  // The part that is kept is told apart from the whole number below it by more than a rounding error.
  const kept = Math.floor(patches * (1 - ratio) + 1e-9)
  if (kept === 0) refuse('ratio', ratio, `so small that at least one of ${patches} patches is kept`)
  const [keep, restore, mask] = [
    new BigInt64Array(count * kept),
    new BigInt64Array(count * patches),
    new Uint8Array(count * patches).fill(1),
  ]
  for (const [i, random] of randoms('patchMask', options).entries()) {
    for (const [rank, patch] of shuffled(random, patches).entries()) {
      restore[i * patches + patch] = BigInt(rank)
      if (rank >= kept) continue
      keep[i * kept + rank] = BigInt(patch)
      mask[i * patches + patch] = 0
    }
  }
  return {
    ids_keep: tensor('int64', [count, kept], keep),
    ids_restore: tensor('int64', [count, patches], restore),
    mask: tensor('bool', [count, patches], mask),
  }
}

/** Places from 0 on, sorted by a random number each. */
function shuffled(random: Random, count: number): number[] {
  const noise = Float64Array.from({ length: count }, () => random.uniform())
  return upTo(count).sort((a, b) => noise[a]! - noise[b]! || a - b)
}

/** Options of {@link blockMask}. */
export interface BlockMaskOptions extends MaskCounters {
  /** Rows and columns of patches. */
  readonly grid: readonly [rows: number, columns: number]
  /** Part of the patches that is masked, above 0 and below 1. Default 0.4. */
  readonly ratio?: number
  /** Patches of the smallest block. Default 4, BEiT's code; its paper says 16. */
  readonly smallest?: number
  /** Height over width. Default [0.3, 1 / 0.3]. */
  readonly aspect?: Range
}

/**
 * Masks made of blocks of patches, as BEiT, data2vec and DINOv2 draw them: bool [batch, rows · columns], true where masked.
 *
 * @example
 * ```ts
 * const mask = blockMask({ grid: [14, 14], ratio: 0.4, seed: 42, step, count: 256 })
 * ```
 *
 * @remarks
 * Blocks of random area and aspect are laid, over each other too, as long as they mask no more than is left to mask. When ten tries
 * find none, single patches fill up: each picture has exactly `round(ratio · rows · columns)` masked ones, where BEiT's code may leave a
 * few out; so that a batch's masked patches are a tensor. From https://arxiv.org/abs/2106.08254, algorithm 1.
 *
 * @throws PipiloError `OPTION_INVALID`
 */
export function blockMask(options: BlockMaskOptions): Tensor {
  const { grid, ratio = 0.4, smallest = 4, aspect = [0.3, 1 / 0.3] } = options
  const { count } = checkedCounters(options)
  const [rows, columns] = grid
  integer('grid', rows, 1)
  integer('grid', columns, 1)
  integer('smallest', smallest, 1)
  positiveRange('aspect', aspect)
  const patches = rows * columns
  const wanted = Math.round(patches * number('ratio', ratio, 0, 1))
  if (wanted === 0 || wanted === patches)
    refuse('ratio', ratio, `such that some of ${patches} patches are masked`)
  const data = new Uint8Array(count * patches)
  for (const [i, random] of randoms('blockMask', options).entries()) {
    layBlocks(random, data.subarray(i * patches, (i + 1) * patches), {
      rows,
      columns,
      wanted,
      smallest,
      aspect,
    })
  }
  return tensor('bool', [count, patches], data)
}

interface Blocks {
  readonly rows: number
  readonly columns: number
  readonly wanted: number
  readonly smallest: number
  readonly aspect: Range
}

function layBlocks(random: Random, mask: Uint8Array, blocks: Blocks): void {
  let left = blocks.wanted
  while (left > 0) {
    const block = findBlock(random, mask, blocks, left)
    if (!block) break
    for (const place of block) mask[place] = 1
    left -= block.length
  }
  const free = shuffled(random, mask.length).filter((place) => !mask[place])
  for (const place of free.slice(0, left)) mask[place] = 1
}

/** The new patches of a block that masks at least one and at most `left`, if ten tries find one. */
function findBlock(random: Random, mask: Uint8Array, blocks: Blocks, left: number): number[] | undefined {
  const { rows, columns, smallest, aspect } = blocks
  const between = (from: number, to: number) => from + (to - from) * random.uniform()
  for (let i = 0; i < 10; i++) {
    const area = between(smallest, Math.max(smallest, left))
    const shape = Math.exp(between(Math.log(aspect[0]), Math.log(aspect[1])))
    const [h, w] = [Math.round(Math.sqrt(area * shape)), Math.round(Math.sqrt(area / shape))]
    if (h >= rows || w >= columns) continue
    const top = Math.floor(random.uniform() * (rows - h + 1))
    const start = Math.floor(random.uniform() * (columns - w + 1))
    const places = upTo(h).flatMap((y) => upTo(w).map((x) => (top + y) * columns + start + x))
    const fresh = places.filter((place) => !mask[place])
    if (fresh.length > 0 && fresh.length <= left) return fresh
  }
  return undefined
}

/** @throws PipiloError `OPTION_INVALID` */
export function checkedCounters({ seed, step, count, first = 0 }: MaskCounters): Required<MaskCounters> {
  if (!Number.isSafeInteger(seed)) refuse('seed', seed, 'an integer')
  integer('step', step, 0)
  integer('count', count, 1)
  integer('first', first, 0)
  return { seed, step, count, first }
}

/** The generator of each picture or text of a batch. */
export function randoms(name: string, counters: MaskCounters): Random[] {
  const { seed, step, count, first } = checkedCounters(counters)
  return upTo(count).map((i) => seeded(seed, `${name}/${step}/${first + i}`))
}
