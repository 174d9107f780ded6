// Initializers that are computed from others, and the places where they are kept: in memory, or in a file.
import type { DType, Tensor } from '../../tensor/index.ts'
import { loadTensor } from '../onnx/index.ts'
import type { Initializer } from '../types.ts'

/** An initializer that is still to be computed from others: a pass names it, a {@link Place} computes and keeps it. */
export interface Derived {
  readonly name: string
  readonly dtype: DType
  readonly shape: readonly number[]
  /** How it is made; the same recipe on the same sources gives the same numbers. */
  readonly recipe: string
  readonly sources: readonly Initializer[]
  make(): Promise<Tensor>
}

/**
 * Decides where computed weights lie: in memory, or in a file that is written once and found again.
 *
 * Those of one list are made one after the other, so that only one has to be in memory at a time.
 */
export type Place = (derived: readonly Derived[]) => Promise<ReadonlyMap<string, Initializer>>

/** A {@link Place} that keeps everything in memory. */
export const inMemory: Place = async (derived) => {
  const made = new Map<string, Initializer>()
  for (const one of derived) made.set(one.name, await one.make())
  return made
}

/** An initializer's tensor, kept until another one is asked for: what is made from one source stands in a row. */
export function lastLoaded(): (source: Initializer) => Promise<Tensor> {
  let last: { source: Initializer; tensor: Promise<Tensor> } | undefined
  return (source) => {
    if (last?.source !== source) last = { source, tensor: loadTensor(source) }
    return last.tensor
  }
}
