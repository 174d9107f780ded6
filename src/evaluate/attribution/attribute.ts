// Attribution of a similarity to the pixels or tokens of an input.
import { PipiloError, throwIfAborted } from '../../base/index.ts'
import {
  type AnyInput,
  type Embedder,
  type ModelInput,
  modelInput,
  type RawImage,
} from '../../embed/index.ts'
import { cut, type Graph } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import type { Matrix, Tensor, Vector } from '../../tensor/index.ts'
import { blur } from './blur.ts'
import { checkAttributeOptions, type Settings } from './checkAttributeOptions.ts'
import { sharesAlongLine } from './line.ts'
import { pixelPlace, wordPlace } from './places.ts'
import { similarityGraph } from './similarityGraph.ts'
import { checkEmbedder, checkInput, vectorOf } from './towards.ts'
import type { AttributeOptions, Attribution, ImageAttribution, TextAttribution } from './types.ts'

/** See `attribute` in onDemand.ts. */
export async function attribute(
  embedder: Embedder<Float32Array | Matrix>,
  input: AnyInput,
  towards: AnyInput | Vector,
  options: AttributeOptions,
): Promise<Attribution> {
  checkEmbedder(embedder)
  checkInput(input, embedder)
  throwIfAborted(options.signal)
  const { prompt, signal } = options
  const prepared = await modelInput(embedder, input, { prompt, signal })
  const settings = checkAttributeOptions(options, prepared.modality)
  const vector = await vectorOf(embedder, towards, signal)
  return prepared.modality === 'image'
    ? ofPixels(prepared, vector, settings)
    : ofTokens(prepared, vector, settings)
}

async function ofPixels(
  { graph, seen, model }: ModelInput,
  towards: Vector,
  settings: Settings,
): Promise<ImageAttribution> {
  const { value, channelAxis } = pixelPlace(graph)
  const picture = seen!
  const { width, height } = picture
  const arranged = (numbers: ArrayLike<number>) => asTensor(numbers, picture, channelAxis)
  const { shares, ...found } = await sharesAlongLine(
    similarityGraph(graph, value, towards),
    {
      input: arranged(picture.data),
      baseline: arranged(baselinePicture(picture, settings.baseline, model)),
      feeds: {},
      rows: fixedRows(graph),
    },
    settings,
  )
  const [pixel, channel] = channelAxis === 1 ? [1, width * height] : [3, 1]
  const values = Float32Array.from({ length: width * height }, (_, i) =>
    [0, 1, 2].reduce((sum, c) => sum + shares[i * pixel + c * channel]!, 0),
  )
  return { kind: 'image', width, height, values, seen: picture, method: settings.method, ...found }
}

/** The picture that counts as nothing, in the order of its bytes. */
function baselinePicture(
  picture: RawImage,
  kind: Settings['baseline'],
  { card }: ModelInput['model'],
): ArrayLike<number> {
  const { width, height, data } = picture
  if (kind === 'blurred') return blur(data, picture, Math.min(width, height) / 16)
  const { mean } = card.image!
  return Float32Array.from(data, (_, i) => (kind === 'mean' ? 255 * mean[i % 3]! : 0))
}

/** Numbers of pixels as the graph takes them: interleaved, or a plane a channel. */
function asTensor(numbers: ArrayLike<number>, { width, height }: RawImage, channelAxis: 1 | 3): Tensor {
  if (channelAxis === 3) {
    return { dtype: 'float32', shape: [1, height, width, 3], data: Float32Array.from(numbers) }
  }
  const plane = width * height
  const data = Float32Array.from(
    { length: numbers.length },
    (_, i) => numbers[(i % plane) * 3 + Math.floor(i / plane)]!,
  )
  return { dtype: 'float32', shape: [1, 3, height, width], data }
}

async function ofTokens(prepared: ModelInput, towards: Vector, settings: Settings): Promise<TextAttribution> {
  const { graph, feeds, truncated } = prepared
  const tokens = prepared.tokens!
  const value = wordPlace(prepared)
  const input = await innerValue(graph, value, feeds)
  const line = {
    input,
    baseline: await innerValue(graph, value, withoutWords(prepared)),
    feeds,
    rows: fixedRows(graph),
  }
  const { shares, ...found } = await sharesAlongLine(similarityGraph(graph, value, towards), line, settings)
  const width = input.shape.at(-1)!
  const withShares = tokens.map((token, i) => ({
    ...token,
    value: shares.subarray(i * width, (i + 1) * width).reduce((sum, share) => sum + share, 0),
  }))
  return { kind: 'text', tokens: withShares, truncated, method: settings.method, ...found }
}

/** The feeds of a text with the token for padding in place of each of its words. */
function withoutWords({ feeds, tokens, padding }: ModelInput): Readonly<Record<string, Tensor>> {
  const ids = feeds['input_ids']!
  const data = BigInt64Array.from(ids.data as BigInt64Array, (id, i) =>
    tokens![i]?.special === false ? BigInt(padding!) : id,
  )
  return { ...feeds, input_ids: { ...ids, data } }
}

/** An inner value of a graph under these feeds. */
async function innerValue(
  graph: Graph,
  value: string,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Tensor> {
  const part = cut(graph, value)
  const needed = part.inputs.map(({ name }) => [name, feeds[name]!] as const)
  const { [value]: found } = await evaluate(part, Object.fromEntries(needed))
  if (found) return found
  throw new PipiloError('GRAPH_INVALID', `${value} has no value.`, { input: value })
}

/** The number of rows that a graph takes at a time, where that is fixed. */
function fixedRows({ inputs }: Graph): number | undefined {
  const firsts = inputs.map(({ type }) => (type?.kind === 'tensor' ? type.shape?.[0] : undefined))
  return firsts.find((first): first is number => typeof first === 'number')
}
