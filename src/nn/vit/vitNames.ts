/** Vision transformers by timm's names. */
import type { Initializer } from '../../graph/index.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import { buildSwin } from './swin.ts'
import { swinPresets } from './swinPresets.ts'
import { buildVit } from './vit.ts'
import { vitPresets } from './vitPresets.ts'

/** Builds an architecture whose size is settled by its name. */
export type BuildNamed = (checkpoint?: ReadonlyMap<string, Initializer>, options?: BuildOptions) => BuiltModel

/**
 * The vision transformer of timm's name, without what follows the dot.
 *
 * @example
 * ```ts
 * const build = findVit('vit_small_patch16_224')
 * build?.(tensors, { classes: 0 })
 * ```
 *
 * @param changes arguments of the architecture that differ from what the name says, such as timm's `model_args`
 * @returns `undefined` for names that are none of {@link vitNames}
 */
export function findVit(
  name: string,
  changes: Readonly<Record<string, unknown>> = {},
): BuildNamed | undefined {
  const vit = vitPresets.get(name)
  if (vit) return (checkpoint, options) => buildVit({ ...vit, ...changes }, checkpoint, options)
  const swin = swinPresets.get(name)
  if (swin) return (checkpoint, options) => buildSwin({ ...swin, ...changes }, checkpoint, options)
  return undefined
}

/** The names that {@link findVit} knows. */
export function vitNames(): string[] {
  return [...vitPresets.keys(), ...swinPresets.keys()]
}
