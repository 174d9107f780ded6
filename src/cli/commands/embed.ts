// Command `embed`: writes the vectors of texts and files.
import { PipiloError } from '../../base/index.ts'
import { type Embedder, inputFor, readInputs, refuseModality } from '../../embed/index.ts'
import type { InputModality } from '../../models/index.ts'
import type { Matrix } from '../../tensor/index.ts'
import { command, type Terminal, usageError } from '../command.ts'
import { kindsIn } from '../kindOf.ts'
import {
  as,
  embedderOptions,
  modelArgs,
  onError,
  oneOf,
  openEmbedder,
  promptArgs,
  readArgs,
  readOptions,
} from '../modelOptions.ts'
import { type VectorOutput, vectorOutput } from '../output.ts'
import { progress } from '../progress.ts'
import { reduceArgs } from '../reducedModel.ts'
import { LeftOut } from '../skipped.ts'

/** Something to embed, with the id that its vector gets. */
interface Item {
  readonly id: string
  readonly input: string | Uint8Array
  readonly modality: InputModality
  readonly path?: string
  readonly found?: boolean
  readonly error?: PipiloError
}

export const embed = command({
  name: 'embed',
  description: 'Turn texts, pictures and arrays of numbers (.npy) into vectors',
  examples: [
    "pipilo embed --text 'football' 'soccer'",
    'pipilo embed photos/ --out vectors.npy',
    "pipilo embed 'notes/**/*.txt' --out notes.parquet",
    'cat sentences.txt | pipilo embed - > vectors.jsonl',
    'pipilo embed photos/ --reduce pca.safetensors',
    'pipilo embed photos/*.jpg --model mobilenet-v2 --tap block_6_expand_relu --pool mean',
    'pipilo embed notes/ --model hf:intfloat/multilingual-e5-small --prompt-text "passage: "',
    'pipilo embed photos/ captions.txt --model hf:openai/clip-vit-base-patch32',
    'pipilo embed clips/*.npy --model speech.onnx --tap encoder --pool mean --input sr=16000',
  ],
  args: {
    inputs: {
      type: 'positional',
      required: false,
      description: 'Files, globs, folders; - for lines on standard input; texts with --text',
      valueHint: '…',
    },
    text: { type: 'boolean', description: 'The arguments are the texts themselves' },
    as,
    ...readArgs,
    ...modelArgs,
    ...promptArgs,
    ...reduceArgs,
    out: { type: 'string', alias: 'o', description: 'A .npy, .jsonl or .parquet file', valueHint: 'file' },
    'on-error': onError,
    json: { type: 'boolean', description: 'JSON lines on standard output (as without --out)' },
  },
  async run(args, terminal) {
    const specs = args._
    if (!specs.length) throw usageError('Nothing to embed.', 'See pipilo embed --help.')
    if (args.json && args.out) throw usageError('--json writes to standard output: leave out --out.')
    const modality = oneOf<InputModality>(args.as, 'as', ['text', 'image'])
    const skip = oneOf(args['on-error'], 'on-error', ['throw', 'skip']) === 'skip'
    if (args.text && modality === 'image') throw usageError('--text and --as image contradict each other.')

    embedderOptions(args)
    const reading = readOptions(args)
    if (args.text && Object.keys(reading).length > 0)
      throw usageError(
        '--by, --chunk, --overlap, --columns and --encoding are for files, and --text gives none.',
      )
    const output = await vectorOutput(args.out, terminal)
    let left = new LeftOut(skip)
    try {
      const kinds: readonly InputModality[] = args.text
        ? ['text']
        : modality
          ? [modality]
          : await kindsIn(specs, terminal, left, reading)
      if (kinds.length === 0) {
        left.report(terminal)
        if (skip) return await output.close()
        throw new PipiloError('INPUT_INVALID', `There is nothing to embed in ${specs.join(', ')}.`)
      }
      left = new LeftOut(skip)
      // A named model takes what it can of all that is given.
      const several = kinds[1] === 'image' && args.model === undefined && args.reduce === undefined
      if (several && args.out !== undefined && !/\.jsonl$/i.test(args.out)) {
        throw usageError(
          'There are texts and pictures, whose vectors are of two models and not equally long.',
          'Say --as text or --as image, name a --model of both, or write .jsonl.',
        )
      }
      for (const kind of [...kinds]
        .sort()
        .reverse()
        .slice(0, several ? 2 : 1)) {
        const embedder = await openEmbedder(args, terminal, { modality: kind })
        try {
          const items = args.text
            ? texts(specs)
            : readInputs(specs, {
                ...reading,
                ...(modality && { as: modality }),
                embedder,
                signal: terminal.signal,
              })
          await embedItems(several ? of(kind, items) : items, embedder, left, terminal, output)
        } finally {
          await embedder.dispose()
        }
      }
      await output.close()
      left.report(terminal)
    } catch (error) {
      await output.abort()
      throw error
    }
  },
})

/** The pictures, or all but those. */
async function* of(kind: InputModality, items: AsyncIterable<Item>): AsyncGenerator<Item> {
  for await (const item of items) if ((item.modality === 'image') === (kind === 'image')) yield item
}

async function* texts(words: readonly string[]): AsyncGenerator<Item> {
  for (const [i, input] of words.entries()) yield { id: `text:${i}`, input, modality: 'text' }
}

async function embedItems(
  items: AsyncIterable<Item>,
  embedder: Embedder<Float32Array | Matrix>,
  left: LeftOut,
  terminal: Terminal,
  output: VectorOutput,
): Promise<void> {
  const bar = progress(terminal, 'embedding')
  const waiting = new Map<number, Item>()

  async function* inputs() {
    let index = 0
    for await (const item of items) {
      const problem =
        item.error ??
        refuseModality(embedder, item, 'Embed them apart, name a --model, or pass --on-error skip.')
      if (problem) {
        left.add(item, problem)
        continue
      }
      waiting.set(index++, item)
      yield inputFor(embedder, { input: item.input, modality: item.modality })
    }
  }
  try {
    let done = 0
    let truncated = 0
    // An error is thrown below, unless it may be left out.
    const options = { onError: 'skip' as const, signal: terminal.signal }
    for await (const result of embedder.stream(inputs(), options)) {
      const item = waiting.get(result.index)!
      waiting.delete(result.index)
      if (result.error) left.add(item, result.error)
      else await output.write(item.id, result.vector)
      if (result.truncated) truncated++
      bar.update(++done)
    }
    bar.clear()
    if (truncated) {
      terminal.err(
        `${truncated} ${truncated === 1 ? 'text was' : 'texts were'} cut to the model’s limit of ${embedder.card.text?.maxLength} tokens\n`,
      )
    }
  } finally {
    bar.clear()
  }
}
