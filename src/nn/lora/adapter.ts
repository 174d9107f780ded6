/** LoRA that was trained elsewhere: matrices and settings as PEFT keeps them, put beside a graph's layers. */
import { closest, PipiloError } from '../../base/index.ts'
import type { Graph, Initializer } from '../../graph/index.ts'
import type { Mode } from '../types.ts'
import { linearLayers } from './linearLayers.ts'
import { addLora, type LoraConfig } from './lora.ts'

/** A LoRA apart from its model. */
export interface LoraAdapter {
  readonly config: LoraConfig
  /** Matrices by PEFT's names, `base_model.model.<module>.lora_A.weight` and `lora_B`. */
  readonly tensors: ReadonlyMap<string, Initializer>
  /** The model that it was trained on, where it says so. */
  readonly base?: string
}

const MATRIX = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/

/**
 * The graph with a LoRA that was read (`readLora`).
 *
 * @example
 * ```ts
 * const adapted = applyLora(graph, await readLora('hf:owner/lora'))
 * const merged = await mergeLora(adapted)
 * ```
 *
 * @remarks
 * A module of the LoRA is the graph's of the same name, or of the end or the beginning of it left away: that of a classifier,
 * `bert.encoder.layer.0.…`, fits the encoder alone, `encoder.layer.0.…`.
 *
 * @param options.mode `training` drops as the LoRA's settings say. Default `inference`
 * @throws PipiloError `FORMAT_INVALID` for names that are none of a LoRA, `LAYER_UNKNOWN` with the closest names for modules that the graph does
 *   not have, `OPERATOR_UNSUPPORTED`, `SHAPE_MISMATCH`, `PARAMETER_MISSING`
 */
export function applyLora(
  graph: Graph,
  { config, tensors }: LoraAdapter,
  { mode = 'inference' }: { readonly mode?: Mode } = {},
): Graph {
  const modules = [...graph.initializers.keys()].flatMap((name) =>
    name.endsWith('.weight') ? [name.slice(0, -'.weight'.length)] : [],
  )
  const renamed = new Map<string, Initializer>()
  const targets = new Set<string>()
  for (const [key, tensor] of tensors) {
    const [, module, matrix] = MATRIX.exec(key) ?? []
    if (module === undefined) {
      throw new PipiloError('FORMAT_INVALID', `${key} is no matrix of a LoRA.`, {
        input: key,
        hint: 'Its names look like base_model.model.<module>.lora_A.weight.',
      })
    }
    const own = moduleFor(module, modules)
    targets.add(own)
    renamed.set(`base_model.model.${own}.lora_${matrix}.weight`, tensor)
  }
  // Whole names, so that no other layer of a like ending is meant.
  const exact = new RegExp(`^(?:${[...targets].map((name) => name.replaceAll('.', '\\.')).join('|')})$`)
  if (targets.size === 0) throw new PipiloError('FORMAT_INVALID', 'The LoRA has no matrices.')
  linearLayers(graph, exact)
  return addLora(graph, { ...config, targets: exact, tensors: renamed, mode })
}

function moduleFor(module: string, modules: readonly string[]): string {
  const same = modules.filter(
    (own) => own === module || own.endsWith(`.${module}`) || module.endsWith(`.${own}`),
  )
  const found = same.find((own) => own === module) ?? same[0]
  if (found !== undefined && (same.length === 1 || found === module)) return found
  const near = same.length > 1 ? same : closest(module, modules)
  throw new PipiloError(
    'LAYER_UNKNOWN',
    same.length > 1
      ? `${module} of the LoRA may be any of several layers.`
      : `The graph has no layer ${module}, to which the LoRA belongs.`,
    { input: module, ...(near.length > 0 && { hint: `Closest: ${near.join(', ')}.` }) },
  )
}
