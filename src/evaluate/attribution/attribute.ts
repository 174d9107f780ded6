// Attribution of a similarity to the pixels or tokens of an input.
import { PipiloError, throwIfAborted } from '../../base/index.ts'
import { type AnyInput, type Embedder, type ModelInput, modelInput } from '../../embed/index.ts'
import { cut, type Graph } from '../../graph/index.ts'
import { evaluate } from '../../runtime/index.ts'
import type { Matrix, Tensor, Vector } from '../../tensor/index.ts'
import { blur } from './blur.ts'
import { checkAttributeOptions, type Settings } from './checkAttributeOptions.ts'
import { repeated, sharesAlongLine } from './line.ts'
import { type PixelPlace, pixelPlace, wordPlace } from './places.ts'
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
  { graph, feeds, seen, model }: ModelInput,
  towards: Vector,
  settings: Settings,
): Promise<ImageAttribution> {
  const { value, channelAxis } = pixelPlace(graph)
  const picture = seen!
  const { width, height } = picture
  const input = await innerValue(graph, value, feeds)
  const layout = { width, height, channels: input.shape[channelAxis]!, channelAxis }
  const { shares, ...found } = await sharesAlongLine(
    similarityGraph(graph, value, towards),
    {
      input,
      baseline: { ...input, data: baselinePixels(input, layout, settings.baseline, model) },
      feeds: {},
      rows: fixedRows(graph),
    },
    settings,
  )
  const values = new Float32Array(width * height)
  for (const [i, share] of shares.entries()) values[pixelOf(i, layout)]! += share
  return { kind: 'image', width, height, values, seen: picture, method: settings.method, ...found }
}

/** How the numbers of a picture lie: a plane a channel (axis 1), or the channels of each pixel side by side (axis 3). */
interface Layout extends Pick<PixelPlace, 'channelAxis'> {
  readonly width: number
  readonly height: number
  readonly channels: number
}

const pixelOf = (i: number, { width, height, channels, channelAxis }: Layout): number =>
  channelAxis === 1 ? i % (width * height) : Math.floor(i / channels)

const channelOf = (i: number, { width, height, channels, channelAxis }: Layout): number =>
  channelAxis === 1 ? Math.floor(i / (width * height)) : i % channels

/** The picture that counts as nothing, in the layout and the channels of the input. */
function baselinePixels(
  { data }: Tensor,
  layout: Layout,
  kind: Settings['baseline'],
  { card }: ModelInput['model'],
): Float32Array {
  const pixels = data as Float32Array
  if (kind === 'black') return new Float32Array(pixels.length)
  const { mean } = card.image!
  if (kind === 'mean') return pixels.map((_, i) => 255 * mean[channelOf(i, layout)]!)
  const { width, height, channels, channelAxis } = layout
  // Planes that lie one after the other are blurred apart, as if each were all there is.
  const sideBySide = channelAxis === 3 ? channels : 1
  return blur(pixels, { width, height, channels: sideBySide }, Math.min(width, height) / 16)
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

/** An inner value of a graph under feeds of one row: the row of it, though the graph may take several at a time. */
async function innerValue(
  graph: Graph,
  value: string,
  feeds: Readonly<Record<string, Tensor>>,
): Promise<Tensor> {
  const part = cut(graph, value)
  const rows = fixedRows(graph) ?? 1
  const needed = part.inputs.map(({ name }) => [name, repeated(feeds[name]!, rows)] as const)
  const { [value]: found } = await evaluate(part, Object.fromEntries(needed))
  if (found) return firstRow(found)
  throw new PipiloError('GRAPH_INVALID', `${value} has no value.`, { input: value })
}

/** The first of a batch of float32, as a batch of one. */
function firstRow({ shape: [rows, ...shape], data }: Tensor): Tensor {
  const length = data.length / rows!
  return { dtype: 'float32', shape: [1, ...shape], data: (data as Float32Array).slice(0, length) }
}

/** The number of rows that a graph takes at a time, where that is fixed. */
function fixedRows({ inputs }: Graph): number | undefined {
  const firsts = inputs.map(({ type }) => (type?.kind === 'tensor' ? type.shape?.[0] : undefined))
  return firsts.find((first): first is number => typeof first === 'number')
}
