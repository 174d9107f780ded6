// Command `embed`: writes the vectors of texts and files.
import { PipiloError } from '../../base/index.ts'
import { inputFor, readInputs, refuseModality } from '../../embed/index.ts'
import type { InputModality } from '../../models/index.ts'
import { command, type Terminal, usageError } from '../command.ts'
import { as, embedderOptions, modelArgs, onError, oneOf, openEmbedder, promptArgs } from '../modelOptions.ts'
import { type VectorOutput, vectorOutput } from '../output.ts'
import { progress } from '../progress.ts'
import { reduceArgs } from '../reducedModel.ts'
import { reportSkipped, type Skipped } from '../skipped.ts'

/** Something to embed, with the id that its vector gets. */
interface Item {
  readonly id: string
  readonly input: string | Uint8Array
  readonly modality: InputModality
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
    const output = await vectorOutput(args.out, terminal)
    try {
      const items: AsyncIterable<Item> = args.text
        ? texts(specs)
        : readInputs(specs, { ...(modality && { as: modality }), signal: terminal.signal })
      const skipped = await embedItems(items, skip, args, terminal, output)
      await output.close()
      reportSkipped(skipped, terminal)
    } catch (error) {
      await output.abort()
      throw error
    }
  },
})

async function* texts(words: readonly string[]): AsyncGenerator<Item> {
  for (const [i, input] of words.entries()) yield { id: `text:${i}`, input, modality: 'text' }
}

async function embedItems(
  items: AsyncIterable<Item>,
  skip: boolean,
  args: Parameters<typeof openEmbedder>[0],
  terminal: Terminal,
  output: VectorOutput,
): Promise<Skipped[]> {
  const skipped: Skipped[] = []
  const iterator = items[Symbol.asyncIterator]()
  // The first input decides the modality, and with it the default model.
  let next = await iterator.next()
  while (!next.done && next.value.error) {
    if (!skip) throw next.value.error
    skipped.push({ id: next.value.id, reason: next.value.error.message })
    next = await iterator.next()
  }
  if (next.done) {
    if (skipped.length) return skipped
    throw new PipiloError('INPUT_INVALID', 'There is nothing to embed in what was given.')
  }
  const embedder = await openEmbedder(args, terminal, { modality: next.value.modality })
  const bar = progress(terminal, 'embedding')
  const ids = new Map<number, string>()

  async function* inputs() {
    let index = 0
    for (; !next.done; next = await iterator.next()) {
      const { id, input, modality, error } = next.value
      const problem =
        error ??
        refuseModality(
          embedder,
          { id, modality },
          'Embed them apart, name a --model, or pass --on-error skip.',
        )
      if (problem) {
        if (!skip) throw problem
        skipped.push({ id, reason: problem.message })
        continue
      }
      ids.set(index++, id)
      yield inputFor(embedder, { input, modality })
    }
  }
  try {
    let done = 0
    let truncated = 0
    const options = {
      onError: skip ? ('skip' as const) : ('throw' as const),
      signal: terminal.signal,
    }
    for await (const result of embedder.stream(inputs(), options)) {
      const id = ids.get(result.index)!
      ids.delete(result.index)
      if (result.error) skipped.push({ id, reason: result.error.message })
      else await output.write(id, result.vector)
      if (result.truncated) truncated++
      bar.update(++done)
    }
    bar.clear()
    if (truncated) {
      terminal.err(
        `${truncated} ${truncated === 1 ? 'text was' : 'texts were'} cut to the model’s limit of ${embedder.card.text?.maxLength} tokens\n`,
      )
    }
    return skipped
  } finally {
    bar.clear()
    await iterator.return?.()
    await embedder.dispose()
  }
}
