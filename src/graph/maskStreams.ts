/** Streams of random masks: the one counter that the masks of a builder are drawn from, and how several networks share it. */
import type { Builder, Value } from './builder.ts'
import * as op from './ops/all.ts'
import { MASK_COUNTER } from './roles.ts'

/**
 * A counter for the masks of one network: the builder's input {@link MASK_COUNTER} for the first network that asks, and for each
 * further one the same step with another seed, so that equal networks are given unequal masks.
 *
 * @remarks
 * The input is made where it is missing, with its next value as an update.
 */
export function maskStream(builder: Builder): Value {
  return builder.outermost(() => {
    if (!builder.has(MASK_COUNTER)) {
      const counter = builder.input(MASK_COUNTER, 'int64', [2])
      builder.update(MASK_COUNTER, op.add(counter, builder.constant([0, 1])))
      return counter
    }
    // Its values' names say which streams are taken, in graphs that were built before as well.
    let stream = 1
    while (builder.taken(`mask_stream.${stream}/Add`)) stream++
    const counter = builder.value(MASK_COUNTER)
    const shift = { dtype: 'int64', shape: [2], data: BigInt64Array.of(seedOf(stream), 0n) } as const
    return builder.scope(`mask_stream.${stream}`, () => op.add(counter, builder.constant(shift)))
  })
}

/**
 * 48 bits for the number of a stream (SplitMix64). Multiples of one number would not do: streams of graphs within graphs are added up,
 * and their sums must differ too.
 */
function seedOf(stream: number): bigint {
  const wrap = (value: bigint) => BigInt.asUintN(64, value)
  let z = wrap(BigInt(stream) * 0x9e3779b97f4a7c15n)
  z = wrap((z ^ (z >> 30n)) * 0xbf58476d1ce4e5b9n)
  z = wrap((z ^ (z >> 27n)) * 0x94d049bb133111ebn)
  return (z ^ (z >> 31n)) >> 16n
}
