// Command `export`: writes a model as an ONNX file whose output is the embedding.
import { stat } from 'node:fs/promises'
import { type Model, open, type TowerModality } from '../../models/index.ts'
import { command, usageError } from '../command.ts'
import { embeddingOptions, modelArgs, oneOf, openArgs, openOptions } from '../modelOptions.ts'
import { megabytes } from '../progress.ts'
import { reduceArgs, reducedModel } from '../reducedModel.ts'

const { tap, pool, normalize, dimensions } = modelArgs

export const exportCommand = command({
  name: 'export',
  description: 'Write an embedding (model, tap, pooling, normalisation) as one .onnx file',
  examples: [
    'pipilo export all-MiniLM-L6-v2 -o minilm.onnx',
    'pipilo export hf:openai/clip-vit-base-patch32 --tower image -o pictures.onnx',
    'pipilo export mobilenet-v2 --tap block_13_project_BN --pool mean -o pictures.onnx',
  ],
  args: {
    model: {
      type: 'positional',
      required: true,
      description: 'Card name, hf:owner/name, a folder or an .onnx file',
    },
    out: { type: 'string', alias: 'o', description: 'The file to write', valueHint: 'file.onnx' },
    tower: {
      type: 'string',
      description: 'Of a model of texts and pictures: the tower to write',
      valueHint: 'text|image',
    },
    tap,
    pool,
    normalize,
    dimensions,
    ...openArgs,
    ...reduceArgs,
    preprocess: {
      type: 'boolean',
      default: true,
      description: 'Pictures: take bytes (pixels, uint8 [batch, height, width, 3])',
      negativeDescription: 'Take pixel_values (float32, normalised) instead',
    },
    json: { type: 'boolean', description: 'Print what was written as JSON' },
  },
  async run(args, terminal) {
    if (!args.out) throw usageError('pipilo export needs -o FILE.')
    if (!args.out.endsWith('.onnx'))
      throw usageError(`-o names an .onnx file, not ${JSON.stringify(args.out)}.`)
    const model = await open(args.model, { ...openOptions(args), signal: terminal.signal })
    const tower = towerOf(model, oneOf(args.tower, 'tower', ['text', 'image']))
    const wanted = { ...embeddingOptions(args), preprocess: args.preprocess }
    if (args.reduce === undefined) await tower.export(args.out, wanted)
    else
      await (await reducedModel(tower, args.reduce, wanted)).export(args.out, { preprocess: args.preprocess })
    const { size } = await stat(args.out)
    await terminal.out(
      args.json
        ? `${JSON.stringify({ file: args.out, bytes: size })}\n`
        : `wrote ${args.out} (${megabytes(size)})\n`,
    )
  },
})

function towerOf(model: Model, wanted: TowerModality | undefined): Model {
  if (!model.towers) {
    if (wanted === undefined) return model
    throw usageError(`${model.name} is a model for ${model.modality} alone.`, 'Leave out --tower.')
  }
  if (wanted) return model.towers[wanted]
  throw usageError(`${model.name} has two towers.`, 'Name one: --tower text or --tower image.')
}
