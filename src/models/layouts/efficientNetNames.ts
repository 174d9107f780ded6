// Names of parameters in efficientnet_pytorch, turned into timm's.
import type { Initializer } from '../../graph/index.ts'

/** Names outside of the blocks. */
const outer: Readonly<Record<string, string>> = {
  _conv_stem: 'conv_stem',
  _bn0: 'bn1',
  _conv_head: 'conv_head',
  _bn1: 'bn2',
  _fc: 'classifier',
}

/** Names within a block that expands, and within one that does not. */
const expanding: Readonly<Record<string, string>> = {
  _expand_conv: 'conv_pw',
  _bn0: 'bn1',
  _depthwise_conv: 'conv_dw',
  _bn1: 'bn2',
  _se_reduce: 'se.conv_reduce',
  _se_expand: 'se.conv_expand',
  _project_conv: 'conv_pwl',
  _bn2: 'bn3',
}
const plain: Readonly<Record<string, string>> = {
  ...expanding,
  _bn1: 'bn1',
  _project_conv: 'conv_pw',
  _bn2: 'bn2',
}

/**
 * Tensors of the package efficientnet_pytorch under timm's names, whose `tf_efficientnet_b0` and so on are the same networks; other
 * tensors as they are. That package numbers blocks through all stages: a stage ends where the channels change.
 *
 * @see https://github.com/lukemelas/EfficientNet-PyTorch
 */
export function timmNames(tensors: ReadonlyMap<string, Initializer>): ReadonlyMap<string, Initializer> {
  if (!tensors.has('_conv_stem.weight')) return tensors
  const places: string[] = []
  let [stage, index, channels] = [-1, 0, -1]
  for (let block = 0; ; block++) {
    const projected = tensors.get(`_blocks.${block}._project_conv.weight`)?.shape[0]
    if (projected === undefined) break
    ;[stage, index] = projected === channels ? [stage, index + 1] : [stage + 1, 0]
    channels = projected
    places.push(`blocks.${stage}.${index}`)
  }
  const renamed = (name: string): string => {
    const [, block, layer, rest] = /^(?:_blocks\.(\d+)\.)?(_\w+)\.(\w+)$/.exec(name) ?? []
    if (layer === undefined) return name
    if (block === undefined) return `${outer[layer] ?? layer}.${rest}`
    const names = tensors.has(`_blocks.${block}._expand_conv.weight`) ? expanding : plain
    return `${places[Number(block)]}.${names[layer] ?? layer}.${rest}`
  }
  return new Map([...tensors].map(([name, tensor]) => [renamed(name), tensor]))
}
