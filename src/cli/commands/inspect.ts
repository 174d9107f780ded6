// Command `inspect`: shows a model's inputs, outputs, layers and places to tap.
import { PipiloError } from '../../base/index.ts'
import { placementOf } from '../../embed/index.ts'
import { type Dimension, printGraph, type ValueInfo } from '../../graph/index.ts'
import {
  type Card,
  type ImagePreprocessing,
  listTensors,
  type Model,
  open,
  type Towers,
} from '../../models/index.ts'
import type { Placement } from '../../runtime/index.ts'
import { command } from '../command.ts'
import { deviceArgs, deviceOption, openArgs, openOptions } from '../modelOptions.ts'
import { table } from '../table.ts'

const shapeText = (shape: readonly Dimension[] | undefined): string =>
  shape ? `[${shape.map(sizeText).join(', ')}]` : '?'

/** A size to read: one that depends on the data is `?`, whatever exporters and inference call it. */
const sizeText = (size: Dimension): Dimension =>
  size === '' || (typeof size === 'string' && /_dim_\d+|\bunk__\d+/.test(size)) ? '?' : size

const isTensor = ({ type }: ValueInfo): boolean => type === undefined || type.kind === 'tensor'

const port = ({ name, type }: ValueInfo) => ({
  name,
  dtype: type && 'dtype' in type ? type.dtype : undefined,
  shape: type && 'shape' in type ? type.shape : undefined,
})

interface Place {
  readonly name: string
  readonly layer: string
}

/** A line for each place; numbered ones (`hidden_states.0` to `hidden_states.6`) in one. Stages have lines of their own. */
function placesText(places: readonly Place[]): string[] {
  const families = new Map<string, Place[]>()
  for (const place of places) {
    const family = place.name.replace(/\.\d+$/, '')
    families.set(family, [...(families.get(family) ?? []), place])
  }
  families.delete('stages')
  return [...families.values()].map((family) => {
    const [first, last] = [family[0]!, family.at(-1)!]
    return first === last
      ? `place   ${first.name}: ${first.layer}`
      : `place   ${first.name} … ${last.name}: ${first.layer} … ${last.layer}`
  })
}

/** How pictures become a model's input, in words. */
function preparationText({
  size,
  crop,
  cropRatio,
  resize,
  interpolation,
  channels,
  order = 'rgb',
  mean,
  std,
}: ImagePreprocessing): string {
  const sides = (size: readonly number[]) => size.join(' × ')
  const to = Array.isArray(resize) ? sides(resize) : resize
  const kept =
    to === undefined && cropRatio !== undefined && cropRatio < 1
      ? `, the middle ${(cropRatio * 100).toFixed(1).replace('.0', '')} %`
      : ''
  const geometry = {
    squash: to === undefined ? `squashed${kept}` : `squashed to ${to}, the middle`,
    center: to === undefined ? `shorter side fitted${kept}` : `shorter side to ${to}, the middle`,
    border: `fitted inside, with a border${kept}`,
  }[crop]
  const isRaw = mean.every((value) => value === 0) && std.every((value) => Math.abs(value * 255 - 1) < 1e-6)
  const numbers = (values: readonly number[]) =>
    `[${values.map((value) => Number(value.toPrecision(4))).join(', ')}]`
  const pixels = isRaw ? 'bytes from 0 to 255' : `0…1, mean ${numbers(mean)}, deviation ${numbers(std)}`
  return `${sides(size)}, ${geometry}, ${interpolation}; ${channels === 1 ? 'grey' : order.toUpperCase()}, ${pixels}`
}

/** The towers of a model of texts and pictures, each with its own inputs, outputs and places. */
function describeTowers({ text, image, logitScale, logitBias }: Towers) {
  const describe = (tower: Model) => ({
    inputs: tower.graph.inputs.map(port),
    outputs: tower.graph.outputs.filter(isTensor).map(port),
    places: placesOf(tower),
    stages: tower.places?.stages ?? [],
  })
  return { text: describe(text), image: describe(image), logitScale, logitBias }
}

function towersText(towers: ReturnType<typeof describeTowers>): string[] {
  const { logitScale, logitBias } = towers
  const lines = (['text', 'image'] as const).flatMap((name) => {
    const { inputs, outputs, places } = towers[name]
    const names = (ports: readonly { name: string }[]) => ports.map((each) => each.name).join(', ')
    return [
      `tower   ${name}: ${names(inputs)} → ${names(outputs)}`,
      ...placesText(places).map((line) => `  ${line}`),
    ]
  })
  const bias = logitBias === undefined ? 'softmax' : `plus ${logitBias.toPrecision(4)}, sigmoid`
  if (logitScale === undefined) return [...lines, 'logits  of a scale that the files do not say']
  return [...lines, `logits  cosine × ${logitScale.toPrecision(4)}, ${bias}`]
}

function placementText({ device, operators, onCpu, half, halfRefused }: Placement): string {
  const counts = Object.entries(onCpu).sort(([, a], [, b]) => b - a)
  const left = counts.reduce((sum, [, count]) => sum + count, 0)
  const which =
    counts.length > 0 && device !== 'cpu'
      ? ` (${counts.map(([op, count]) => `${op} ${count}`).join(', ')})`
      : ''
  const precision = half ? ', in float16' : halfRefused ? `, in float32, not float16: ${halfRefused}` : ''
  return `device  ${device}: ${operators} operators, ${left} of them on the CPU${which}${precision}`
}

/** A model's vectors by default; of tensors that are no vectors the caller says how they are pooled. */
function embeddingText({ modality, dimensions, tap, pool, normalize }: Card): string {
  if (tap === '') return 'no embedding of its own'
  if (modality === 'tensor' && dimensions === 0) return `tensors from ${tap}`
  return `${dimensions} dimensions from ${tap}, ${pool}${normalize ? ', normalised' : ''}`
}

const placesOf = (model: Model): Place[] => [...model.placeNames()].map(([name, layer]) => ({ name, layer }))

/** The tensors of a checkpoint whose architecture is not known, and why it cannot be opened; throws that where there is no checkpoint. */
async function tensorsText(
  name: string,
  error: unknown,
  json: boolean | undefined,
  options: Parameters<typeof listTensors>[1],
): Promise<string> {
  if (!(error instanceof PipiloError) || error.code !== 'MODEL_INVALID') throw error
  const tensors = await listTensors(name, options).catch(() => {
    throw error
  })
  const rows = [...tensors].map(([tensor, { dtype, shape }]) => ({ name: tensor, dtype, shape }))
  if (json) return `${JSON.stringify({ error: error.toJSON(), tensors: rows }, null, 2)}\n`
  const numbers = rows.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0)
  return [
    error.message,
    '',
    table(
      [{ heading: 'tensor' }, { heading: 'dtype' }, { heading: 'shape' }],
      rows.map((row) => [row.name, row.dtype, shapeText(row.shape)]),
    ),
    '',
    `${rows.length} tensors, ${numbers.toLocaleString('en')} numbers`,
    '',
  ].join('\n')
}

export const inspect = command({
  name: 'inspect',
  description:
    'List the layers of a model: what --tap can read; of a checkpoint without architecture, its tensors',
  examples: [
    'pipilo inspect all-MiniLM-L6-v2',
    'pipilo inspect resnet50.onnx --json',
    'pipilo inspect mobilenet-v2 --graph',
    'pipilo inspect mobilenet-v2 --device webgpu',
  ],
  args: {
    model: {
      type: 'positional',
      required: true,
      description: 'Card name, hf:owner/name, npm:package/path, a folder or an .onnx file',
    },
    architecture: openArgs.architecture,
    prefix: openArgs.prefix,
    size: openArgs.size,
    card: openArgs.card,
    dtype: openArgs.dtype,
    device: {
      ...deviceArgs.device,
      description: 'Run the model once there, and say how many operators it leaves to the CPU',
    },
    graph: { type: 'boolean', description: 'Print every node instead' },
    json: {
      type: 'boolean',
      description:
        'Print { inputs, outputs, preparation, notes, places, stages, layers, placement } as JSON, or { error, tensors }',
    },
  },
  async run({ model: name, graph, json, ...args }, terminal) {
    const opening = { ...openOptions(args), signal: terminal.signal }
    let model: Model
    try {
      model = await open(name, opening)
    } catch (error) {
      return terminal.out(await tensorsText(name, error, json, opening))
    }
    const { card } = model
    const layers = model
      .layers()
      .map(({ name, kind, shape, parameters }) => ({ name, kind, shape: shape ?? null, parameters }))
    const inputs = model.graph.inputs.map(port)
    const outputs = model.graph.outputs.filter(isTensor).map(port)
    const places = placesOf(model)
    const towers = model.towers && describeTowers(model.towers)
    const { stages = [] } = model.places ?? {}
    const placement =
      args.device === undefined ? undefined : await placementOf(model, { ...opening, ...deviceOption(args) })
    if (graph) return terminal.out(`${printGraph(model.graph)}\n`)
    if (json) {
      const all = {
        inputs,
        outputs,
        ...(card.image && { preparation: card.image }),
        ...(card.notes !== undefined && { notes: card.notes }),
        places,
        stages,
        layers,
        ...(towers && { towers }),
        ...(placement && { placement }),
      }
      return terminal.out(`${JSON.stringify(all, null, 2)}\n`)
    }
    const names = new Set(layers.map(({ name }) => name))
    const inside = (name: string) =>
      name.split('.').some((_, i, parts) => i > 0 && names.has(parts.slice(0, i).join('.')))
    const total = layers.reduce((sum, { name, parameters }) => sum + (inside(name) ? 0 : parameters), 0)
    await terminal.out(
      [
        `${card.name}: ${card.description}`,
        `source ${card.source} · licence ${card.licence} · ${embeddingText(card)}`,
        ...(card.notes ? [card.notes] : []),
        '',
        ...inputs.map((value) => `input   ${value.name}: ${value.dtype} ${shapeText(value.shape)}`),
        ...(card.image ? [`picture ${preparationText(card.image)}`] : []),
        ...outputs.map((value) => `output  ${value.name}: ${value.dtype} ${shapeText(value.shape)}`),
        ...stages.map(
          ({ name, stride, channels }) => `stage   ${name}: stride ${stride}, ${channels} channels`,
        ),
        ...placesText(places),
        ...(towers ? towersText(towers) : []),
        ...(placement ? [placementText(placement)] : []),
        '',
        table(
          [
            { heading: 'layer', limit: 60 },
            { heading: 'kind' },
            { heading: 'shape' },
            { heading: 'parameters', align: 'right' },
          ],
          layers.map(({ name, kind, shape, parameters }) => [
            name,
            kind,
            shapeText(shape ?? undefined),
            parameters.toLocaleString('en'),
          ]),
        ),
        '',
        `${layers.length} layers, ${total.toLocaleString('en')} parameters`,
        '',
      ].join('\n'),
    )
  },
})
