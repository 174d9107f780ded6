/** Heads of self-supervised training: what stands on top of a network while it is trained, and is taken off afterwards. */
import { Builder, type Initializer, type Value } from '../../graph/index.ts'
import { activation } from '../layers/activations.ts'
import { batchNorm1d, linear } from '../layers/layers.ts'
import { built, parametersFrom } from '../layers/parameters.ts'
import type { BuildOptions, BuiltModel } from '../model.ts'
import type { Parameters } from '../types.ts'

/**
 * A head as a graph of its own: input `features` (float32 [batch, features]), output `projection`.
 *
 * @example
 * ```ts
 * const { graph } = buildHead(512, (parameters, x) => simClrHead(parameters, 'projection_head', x), undefined, { mode: 'training' })
 * const { projection } = include(builder, graph, { features: embedding })
 * ```
 */
export function buildHead(
  features: number,
  head: (parameters: Parameters, x: Value) => Value,
  checkpoint?: ReadonlyMap<string, Initializer>,
  options: BuildOptions = {},
): BuiltModel {
  const builder = new Builder({ name: 'head' })
  const parameters = parametersFrom(builder, checkpoint, options)
  builder.output('projection', head(parameters, builder.input('features', 'float32', ['batch', features])))
  return { ...built(builder, parameters), penultimate: 'projection' }
}

/** A layer of a {@link projectionHead}. */
export interface HeadLayer {
  readonly features: number
  /** Default: `true` where no batch norm follows. */
  readonly bias?: boolean
  /** Batch normalisation; `plain` is one without scale and shift. Default `true`. */
  readonly norm?: boolean | 'plain'
  /** Default `relu`; `none` for none. */
  readonly act?: string
}

/**
 * Layers of linear map, batch normalisation and activation over [batch, features], numbered as in lightly's `ProjectionHead`:
 * `<name>.layers.0` the linear map, `.1` its norm, `.2` its activation, and so on.
 *
 * @example
 * ```ts
 * projectionHead(parameters, 'projection_head', embedding, [{ features: 512 }, { features: 128, norm: false, act: 'none' }])
 * ```
 */
export function projectionHead(
  parameters: Parameters,
  name: string,
  x: Value,
  layers: readonly HeadLayer[],
): Value {
  const { builder } = x
  return builder.scope(name, { kind: 'ProjectionHead' }, () =>
    builder.scope('layers', { kind: 'Sequential' }, () => {
      let y = x
      let at = 0
      for (const { features, norm = true, bias = norm === false, act = 'relu' } of layers) {
        y = linear(parameters, `${at++}`, y, features, { bias })
        if (norm !== false) y = batchNorm1d(parameters, `${at++}`, y, { affine: norm !== 'plain' })
        if (act === 'none') continue
        const input = y
        y = builder.scope(`${at++}`, () => activation(act)(input))
      }
      return y
    }),
  )
}

/**
 * Projection head of SimCLR (https://arxiv.org/abs/2002.05709), with batch normalisation behind both linear maps as in lightly's
 * `SimCLRProjectionHead`.
 *
 * @param hidden default: the features of `x`
 * @param out default 128
 */
export function simClrHead(
  parameters: Parameters,
  name: string,
  x: Value,
  { hidden = x.shape.at(-1) as number, out = 128 } = {},
): Value {
  return projectionHead(parameters, name, x, [{ features: hidden }, { features: out, act: 'none' }])
}

/**
 * Projection head of BYOL (https://arxiv.org/abs/2006.07733), as lightly's `BYOLProjectionHead`; its prediction head is the same on top
 * of it.
 *
 * @param hidden default 4096
 * @param out default 256
 */
export function byolHead(
  parameters: Parameters,
  name: string,
  x: Value,
  { hidden = 4096, out = 256 } = {},
): Value {
  return projectionHead(parameters, name, x, [
    { features: hidden },
    { features: out, norm: false, act: 'none' },
  ])
}

/**
 * Projection head of SimSiam (https://arxiv.org/abs/2011.10566), as lightly's `SimSiamProjectionHead`: three layers, the last norm without
 * scale and shift.
 *
 * @param hidden default 2048
 * @param out default 2048
 */
export function simSiamHead(
  parameters: Parameters,
  name: string,
  x: Value,
  { hidden = 2048, out = 2048 } = {},
): Value {
  const last = { features: out, norm: 'plain', act: 'none' } as const
  return projectionHead(parameters, name, x, [{ features: hidden }, { features: hidden }, last])
}

/**
 * Projection head of Barlow Twins (https://arxiv.org/abs/2103.03230) and VICReg, as lightly's `BarlowTwinsProjectionHead`.
 *
 * @param hidden default 8192
 * @param out default 8192
 */
export function barlowTwinsHead(
  parameters: Parameters,
  name: string,
  x: Value,
  { hidden = 8192, out = 8192 } = {},
): Value {
  const last = { features: out, norm: false, act: 'none' } as const
  return projectionHead(parameters, name, x, [{ features: hidden }, { features: hidden }, last])
}
