// Command `attribute`: shows which pixels or tokens move an embedding together with another.
import { writeFileAtomic } from '../../base/files/index.ts'
import { inputFor, refuseModality } from '../../embed/index.ts'
import {
  type AttributeOptions,
  type Attribution,
  attribute,
  colorTokens,
  heatMap,
  type TextAttribution,
} from '../../evaluate/index.ts'
import type { InputModality } from '../../models/index.ts'
import { command, numberOption, type Terminal, usageError } from '../command.ts'
import { kindOf } from '../kindOf.ts'
import {
  as,
  cosineArgs,
  embedderOptions,
  type ModelValues,
  oneOf,
  openVectorEmbedder,
  promptArgs,
} from '../modelOptions.ts'
import { table } from '../table.ts'

const { device: _device, isolate: _isolate, ...modelOptions } = cosineArgs
const methods = ['integrated-gradients', 'gradient'] as const
const baselines = ['mean', 'black', 'blurred', 'padding'] as const

export const attributeCommand = command({
  name: 'attribute',
  description: 'Show which pixels or words make an input similar to another',
  examples: [
    "pipilo attribute 'The sparrow sings' --towards bird",
    'pipilo attribute photo.jpg --towards owl.jpg --out heat.png',
    "pipilo attribute photo.jpg --towards 'a red bird' --model hf:openai/clip-vit-base-patch32 --out heat.png",
    'pipilo attribute photo.jpg --towards owl.jpg --baseline blurred --steps 64 --json > shares.json',
  ],
  args: {
    'text-or-file': { type: 'positional', required: true, description: 'A text, or the path of a picture' },
    towards: {
      type: 'string',
      description: 'Text, or path of a picture, that it is compared with',
      valueHint: 'text|file',
    },
    as: {
      ...as,
      description: 'Take the input for a text or for the path of a picture, whatever it looks like',
    },
    ...modelOptions,
    ...promptArgs,
    method: {
      type: 'string',
      description: 'How shares are found (default: integrated-gradients)',
      valueHint: methods.join('|'),
    },
    steps: {
      type: 'string',
      description: 'Gradients on the way from the baseline to the input (default: 32)',
      valueHint: 'n',
    },
    baseline: {
      type: 'string',
      description:
        'Input that counts as nothing: blurred (default), mean or black for pictures, padding for texts',
      valueHint: 'kind',
    },
    out: { type: 'string', alias: 'o', description: 'Heat map of a picture, a .png file', valueHint: 'file' },
    json: { type: 'boolean', description: 'Print all shares as JSON' },
  },
  async run(args, terminal) {
    if (args._.length > 1)
      throw usageError('pipilo attribute takes one input.', 'Quote a text of several words.')
    const { 'text-or-file': input, towards, out, json } = args
    if (!towards) throw usageError('Similar to what? Name a text or a file with --towards.')
    const wanted = oneOf<InputModality>(args.as, 'as', ['text', 'image'])
    const modality = wanted ?? (await kindOf(input, terminal))
    if (modality === 'text' && out !== undefined)
      throw usageError('--out is for the heat map of a picture, and the input is a text.')
    if (modality === 'image' && out === undefined && !json)
      throw usageError('Name a file for the heat map with --out, or pass --json.')
    const options = attributeOptions(args)
    const found = await attributed({ input, towards, modality }, args, options, terminal)
    if (out !== undefined && found.kind === 'image') await writeFileAtomic(out, await heatMap(found))
    await terminal.out(json ? `${JSON.stringify(plain(found))}\n` : written(found, out))
  },
})

function attributeOptions(args: {
  readonly method?: string | undefined
  readonly steps?: string | undefined
  readonly baseline?: string | undefined
}): AttributeOptions {
  const method = oneOf(args.method, 'method', methods)
  const steps = numberOption(args.steps, 'steps')
  const baseline = oneOf(args.baseline, 'baseline', baselines)
  return { ...(method && { method }), ...(steps && { steps }), ...(baseline && { baseline }) }
}

async function attributed(
  { input, towards, modality }: { input: string; towards: string; modality: InputModality },
  args: ModelValues,
  options: AttributeOptions,
  terminal: Terminal,
): Promise<Attribution> {
  embedderOptions(args)
  const embedder = await openVectorEmbedder(args, terminal, { modality })
  try {
    const refused = refuseModality(
      embedder,
      { id: input, modality },
      'Say what it is with --as, or name another --model.',
    )
    if (refused) throw refused
    const other = embedder.modality === 'text-image' ? await kindOf(towards, terminal) : embedder.modality
    const [given, compared] = [
      inputFor(embedder, { input, modality }),
      inputFor(embedder, { input: towards, modality: other }),
    ]
    const { threads } = args
    return await attribute(embedder, given, compared, {
      ...options,
      ...(threads !== undefined && { runtime: { threads: numberOption(threads, 'threads')! } }),
      signal: terminal.signal,
    })
  } finally {
    await embedder.dispose()
  }
}

/** The attribution as JSON can hold it: pixels as an array, without the picture. */
function plain(found: Attribution): object {
  if (found.kind === 'text') return found
  const { seen: _, values, ...rest } = found
  return { ...rest, values: [...values] }
}

function written(found: Attribution, out: string | undefined): string {
  const { similarity, baseline, difference } = found
  const summary = `similarity ${similarity.toFixed(4)}, of the baseline ${baseline.toFixed(4)}; shares are off by ${difference.toFixed(4)}\n`
  return found.kind === 'text' ? `${tokens(found)}\n${summary}` : `${out}\n${summary}`
}

/** Tokens in a line of colours on a terminal, else as a table. */
function tokens(found: TextAttribution): string {
  const line = colorTokens(found)
  if (line.includes('\x1b')) return line
  return table(
    [{ heading: 'share', align: 'right' }, { heading: 'token' }],
    found.tokens.map(({ text, special, value }) => [special ? '' : value.toFixed(4), text]),
  )
}
