// Command `models`: lists the models that have names.
import { available, cards } from '../../models/index.ts'
import { command } from '../command.ts'
import { table } from '../table.ts'

export const models = command({
  name: 'models',
  description: 'List the models that Pipilo has cards for, and which of them are on this machine',
  examples: ['pipilo models', 'pipilo models --json'],
  args: { json: { type: 'boolean', description: 'Print the cards as JSON' } },
  async run({ json }, terminal) {
    const listed = await Promise.all(
      cards().map(async (card) => ({ ...card, offline: await available(card) })),
    )
    if (json) return terminal.out(`${JSON.stringify(listed, null, 2)}\n`)
    await terminal.out(
      `${table(
        [
          { heading: 'name' },
          { heading: 'embeds' },
          { heading: 'dimensions', align: 'right' },
          { heading: 'tap', limit: 40 },
          { heading: 'pool' },
          { heading: 'licence' },
          { heading: 'offline' },
          { heading: 'source', limit: 60 },
        ],
        listed.map((card) => [
          card.name,
          card.modality,
          String(card.dimensions),
          card.tap,
          card.pool,
          card.licence,
          card.offline ? 'yes' : 'no',
          card.source,
        ]),
      )}\n\nAny other model: hf:owner/name (needs a network once), a folder, or an .onnx file.\n`,
    )
  },
})
