// Functions of this room's door; each loads its code with its first call.
import { plainCopy } from '../base/index.ts'
import type { AnyInput, Embedder, Input, RawImage, TextImageInput } from '../embed/index.ts'
import type { Vector } from '../tensor/index.ts'
import type { HeatMapOptions } from './attribution/heatMap.ts'
import type { AttributeOptions, Attribution, ImageAttribution } from './attribution/types.ts'

/**
 * Tells which pixels or tokens of an input move its embedding together with another embedding.
 *
 * @example
 * ```ts
 * const e = await embedder('mobilenet-v2')
 * const found = await attribute(e, 'photo.jpg', 'towhee.jpg')
 * if (found.kind === 'image') await writeFile('heat.png', await heatMap(found))
 * ```
 *
 * @example
 * ```ts
 * const clip = await embedder('hf:openai/clip-vit-base-patch32', { modality: 'text-image' })
 * await attribute(clip, { image: 'photo.jpg' }, { text: 'a towhee' })      // pixels that say towhee
 * await attribute(clip, { text: 'a towhee sings' }, { image: 'photo.jpg' })  // words that fit the photo
 * ```
 *
 * @remarks
 * The layer, pooling and preparation are the embedder's; the similarity is the cosine, whatever the embedder normalises.
 *
 * - `integrated-gradients` follows the straight line from a baseline to the input and sums gradients on the way, by Gauss and Legendre's rule. The shares
 *   then sum to `similarity - baseline`, but for what `difference` says: less than 0.001 for MiniLM; for MobileNetV2 less than
 *   0.002 from a blurred picture, and up to 0.1 from a black one, whose way leads through much that no network has learnt. Where it is too large,
 *   take another `baseline` or more `steps`.
 * - `gradient` is one gradient, at the input, times the input less the baseline: fast and coarse.
 *
 * The baseline of a text has the embedding of the padding token in place of every word's; special tokens stay as they are and have no share.
 * It runs in float32 on the CPU, in a session of its own: a forward and a backward run for each step.
 *
 * @param embedder gives a vector an input (not `pool: 'none'`), in floats (not `dtype: 'int8'`), and does not split texts
 * @param towards a vector of the embedder's length, or an input, which is embedded first
 * @throws `DIMENSION_MISMATCH` for a vector of another length; `INPUT_INVALID` for several inputs and for a vector without a direction;
 *   `OPTION_INVALID` for embedders and options that it cannot follow; `MODEL_INVALID` for a graph in which no layer of words or pixels is found;
 *   `OPERATOR_UNSUPPORTED` for one without gradients; what `embed` throws
 * @see https://arxiv.org/abs/1703.01365
 */
export async function attribute<In extends AnyInput = AnyInput>(
  embedder: Embedder<Float32Array, In>,
  input: In,
  towards: In | Vector,
  options: AttributeOptions = {},
): Promise<Attribution> {
  const given = plainCopy(options)
  return (await import('./attribution/attribute.ts')).attribute(
    embedder as unknown as Embedder,
    input as Input | TextImageInput,
    towards as Input | TextImageInput | Vector,
    given,
  )
}

/**
 * Draws the shares of pixels over the picture: red where they raise the similarity, blue where they lower it. PNG bytes.
 *
 * @example
 * ```ts
 * await writeFile('heat.png', await heatMap(found))
 * await writeFile('heat.png', await heatMap(found, undefined, { smooth: 0, legend: true }))
 * ```
 *
 * @remarks
 * The picture is grey, and the colour the stronger the larger the share; shares are smoothed first, as single pixels are noisy.
 *
 * @param picture of the attribution's size. Default: the picture as the model saw it
 * @throws `SHAPE_MISMATCH` for a picture of another size, `OPTION_INVALID`, `INPUT_INVALID` for an attribution of a text
 */
export async function heatMap(
  attribution: ImageAttribution,
  picture: RawImage | undefined = undefined,
  options: HeatMapOptions = {},
): Promise<Uint8Array> {
  const [{ drawHeatMap }, { encodePng }] = await Promise.all([
    import('./attribution/heatMap.ts'),
    import('../embed/index.ts'),
  ])
  return encodePng(drawHeatMap(attribution, picture ?? attribution.seen, options))
}
