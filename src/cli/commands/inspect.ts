import { type Dimension, printGraph, type ValueInfo } from '../../graph/index.ts'
import { open } from '../../models/index.ts'
import { command } from '../command.ts'
import { table } from '../table.ts'

const shapeText = (shape: readonly Dimension[] | undefined): string =>
  shape ? `[${shape.map((size) => (size === '' ? '?' : size)).join(', ')}]` : '?'

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

export const inspect = command({
  name: 'inspect',
  description: 'List the layers of a model: what --tap can read',
  examples: [
    'pipilo inspect all-MiniLM-L6-v2',
    'pipilo inspect resnet50.onnx --json',
    'pipilo inspect mobilenet-v2 --graph',
  ],
  args: {
    model: {
      type: 'positional',
      required: true,
      description: 'Card name, hf:owner/name, npm:package/path, a folder or an .onnx file',
    },
    graph: { type: 'boolean', description: 'Print every node instead' },
    json: { type: 'boolean', description: 'Print { inputs, outputs, places, stages, layers } as JSON' },
  },
  async run({ model: name, graph, json }, terminal) {
    const model = await open(name, { signal: terminal.signal })
    const layers = model
      .layers()
      .map(({ name, kind, shape, parameters }) => ({ name, kind, shape: shape ?? null, parameters }))
    const inputs = model.graph.inputs.map(port)
    const outputs = model.graph.outputs.map(port)
    const places = [...model.placeNames()].map(([name, layer]) => ({ name, layer }))
    const { stages = [] } = model.places ?? {}
    if (graph) return terminal.out(`${printGraph(model.graph)}\n`)
    if (json) return terminal.out(`${JSON.stringify({ inputs, outputs, places, stages, layers }, null, 2)}\n`)
    const { card } = model
    const names = new Set(layers.map(({ name }) => name))
    const inside = (name: string) =>
      name.split('.').some((_, i, parts) => i > 0 && names.has(parts.slice(0, i).join('.')))
    const total = layers.reduce((sum, { name, parameters }) => sum + (inside(name) ? 0 : parameters), 0)
    await terminal.out(
      [
        `${card.name}: ${card.description}`,
        `source ${card.source} · licence ${card.licence} · ${card.dimensions} dimensions from ${card.tap}, ${card.pool}${card.normalize ? ', normalised' : ''}`,
        ...(card.notes ? [card.notes] : []),
        '',
        ...inputs.map((value) => `input   ${value.name}: ${value.dtype} ${shapeText(value.shape)}`),
        ...outputs.map((value) => `output  ${value.name}: ${value.dtype} ${shapeText(value.shape)}`),
        ...stages.map(
          ({ name, stride, channels }) => `stage   ${name}: stride ${stride}, ${channels} channels`,
        ),
        ...placesText(places),
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
