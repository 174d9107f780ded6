/** Vision transformers whose patches are those of a convolutional network's map, by timm's names. */

import { PipiloError } from '../../base/index.ts'
import type { Value } from '../../graph/index.ts'
import type { Checkpoint } from '../cnn/cnn.ts'
import { act } from '../cnn/cnnLayers.ts'
import { type ResNetConfig, resNetMap } from '../cnn/resNet.ts'
import { type ResNetV2Options, resNetV2Map } from '../cnn/resNetV2.ts'
import { batchNorm2d, conv2d } from '../layers/layers.ts'
import type { CheckpointParameters } from '../layers/parameters.ts'
import type { Grid } from '../layers/positions.ts'
import type { Mode } from '../types.ts'
import { tokensOf } from './vitLayers.ts'

/** A convolution of a {@link Backbone}'s stem, whose kernel is its stride. */
export interface StemConvolution {
  readonly channels: number
  readonly stride: number
}

/** The network in front: a residual one, as many stages of it as there are `layers`, or a few convolutions. */
export type Backbone =
  | { readonly kind: 'resnet'; readonly config: ResNetConfig }
  | { readonly kind: 'resnetv2'; readonly config: ResNetV2Options }
  | { readonly kind: 'stem'; readonly convolutions: readonly StemConvolution[] }

/** Pixels of the picture between two places of the map. */
export function backboneStride(backbone: Backbone): number {
  if (backbone.kind === 'stem') return backbone.convolutions.reduce((all, { stride }) => all * stride, 1)
  return 4 << Math.max(0, backbone.config.layers.length - 1)
}

/** Options of {@link hybridEmbed}. */
export interface HybridEmbedOptions {
  readonly backbone: Backbone
  readonly features: number
  /** Places of the map that a side of a patch has. */
  readonly patch: number
  readonly bias: boolean
  readonly mode: Mode
  readonly checkpoint: Checkpoint | undefined
}

/**
 * timm's `HybridEmbed`: `<name>.backbone`, and `<name>.proj` but behind a stem of convolutions, which has the features of tokens already.
 *
 * @throws PipiloError `OPTION_INVALID` for pictures whose map is not filled by patches
 */
export function hybridEmbed(
  parameters: CheckpointParameters,
  name: string,
  pixels: Value,
  options: HybridEmbedOptions,
): { patches: Value; grid: Grid } {
  const { backbone, features, patch, bias } = options
  const { builder } = pixels
  return builder.scope(name, { kind: 'HybridEmbed' }, () => {
    const map = builder.scope('backbone', () => backboneMap(parameters, pixels, options))
    const [rows, columns] = map.shape.slice(2) as [number, number]
    if (rows % patch !== 0 || columns % patch !== 0) throw unfilled(pixels, [rows, columns], options)
    const projects = backbone.kind !== 'stem'
    const cells = projects
      ? conv2d(parameters, 'proj', map, features, { kernel: patch, stride: patch, bias })
      : map
    return { patches: tokensOf(cells), grid: [rows / patch, columns / patch] }
  })
}

function backboneMap(parameters: CheckpointParameters, pixels: Value, options: HybridEmbedOptions): Value {
  const { backbone, mode, checkpoint } = options
  const inputs = { pixels, parameters, mode }
  if (backbone.kind === 'resnet') return resNetMap({ ...inputs, config: backbone.config, checkpoint }).map
  if (backbone.kind === 'resnetv2') return resNetV2Map({ ...inputs, config: backbone.config }).map
  return backbone.convolutions.reduce((x, { channels, stride }, i) => {
    const last = i + 1 === backbone.convolutions.length
    return x.builder.scope(`${i}`, { kind: 'ConvNormAct' }, () => {
      const convolved = conv2d(parameters, 'conv', x, channels, { kernel: stride, stride, bias: last })
      return last ? convolved : act('bn', 'gelu', batchNorm2d(parameters, 'bn', convolved))
    })
  }, pixels)
}

function unfilled(pixels: Value, map: Grid, { patch, backbone }: HybridEmbedOptions): PipiloError {
  const size = pixels.shape.slice(2)
  return new PipiloError(
    'OPTION_INVALID',
    `A picture of ${size.join(' × ')} gives a map of ${map.join(' × ')}, which patches of ${patch} × ${patch} do not fill.`,
    { input: 'size', hint: `Choose multiples of ${patch * backboneStride(backbone)}.` },
  )
}
