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
    json: { type: 'boolean', description: 'Print { inputs, outputs, layers } as JSON' },
  },
  async run({ model: name, graph, json }, terminal) {
    const model = await open(name, { signal: terminal.signal })
    const layers = model
      .layers()
      .map(({ name, kind, shape, parameters }) => ({ name, kind, shape: shape ?? null, parameters }))
    const inputs = model.graph.inputs.map(port)
    const outputs = model.graph.outputs.map(port)
    if (graph) return terminal.out(`${printGraph(model.graph)}\n`)
    if (json) return terminal.out(`${JSON.stringify({ inputs, outputs, layers }, null, 2)}\n`)
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
