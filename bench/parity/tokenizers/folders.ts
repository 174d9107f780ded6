/**
 * Compares folders of tokenizers that folders.py has drawn: those that agree with transformers on all texts, those refused by name, those that
 * are wrong.
 *
 *     npx tsx bench/parity/tokenizers/folders.ts OUT.ndjson [ONLY]
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { TextTokenizer } from '../../../src/embed/text/tokenizer.ts'
import { PipiloError } from '../../../src/index.ts'
import type { ModelFiles } from '../../../src/models/files.ts'
import { tokenizerPath } from '../../../src/models/tokenizers/index.ts'
import { differing } from './differing.ts'

interface Drawn {
  readonly kind: string
  readonly name: string
  readonly cls: string
  readonly files: Readonly<Record<string, Record<string, unknown>>>
  readonly ids: readonly (readonly number[] | null)[] | null
  readonly steps: unknown
  /** Python takes the vocabulary for one of another model. */
  readonly other?: true
}

interface Head {
  readonly texts: readonly string[]
  readonly vocabs: Readonly<Record<string, object>>
}

/** A folder in memory, whose paths are the texts of its files. */
function folder(content: ReadonlyMap<string, string>): ModelFiles {
  const text = (path: string) => content.get(path) ?? ''
  return {
    label: 'the folder',
    file: undefined,
    list: async () => [...content.keys()],
    has: async (path) => content.has(path),
    get: async (path) => text(path),
    keep: async (kept) => kept,
    graph: () => Promise.reject(new Error('no graph')),
    open: (path, use) => {
      const bytes = new TextEncoder().encode(text(path))
      const read = async (from: number, length: number) => bytes.slice(from, from + length)
      return use({ name: path, path, size: bytes.length, read })
    },
  }
}

const [path, only] = process.argv.slice(2)
if (path === undefined) throw new Error('Give the file that folders.py has written.')
let head: Head | undefined
let [agreed, wrong, both, lenient, others, number] = [0, 0, 0, 0, 0, -1]
const refused = new Map<string, number>()
const shown = (value: unknown) => JSON.stringify(value)?.slice(0, 1500)

for await (const line of createInterface({
  input: createReadStream(path),
  crlfDelay: Number.POSITIVE_INFINITY,
})) {
  if (head === undefined) {
    head = JSON.parse(line) as Head
    continue
  }
  number++
  if (only !== undefined && Number(only) !== number) continue
  const { kind, name, cls, files, ids, steps, other } = JSON.parse(line) as Drawn
  if (other) {
    others++
    continue
  }
  const whole = files['tokenizer.json']!
  const model = { ...(whole['model'] as object), ...head.vocabs[kind] }
  const content = new Map(
    Object.entries({ ...files, 'tokenizer.json': { ...whole, model } }).map(([at, value]) => [
      at,
      JSON.stringify(value),
    ]),
  )
  let tokenizer: TextTokenizer
  let made = ''
  try {
    made = (await tokenizerPath(folder(content)))!
    tokenizer = new TextTokenizer(JSON.parse(made))
  } catch (error) {
    if (!(error instanceof PipiloError)) throw error
    const reason = error.message.replace(/'.*?'/g, "'…'").replace(/\d+/g, 'N').slice(0, 120)
    if (ids === null) both++
    else refused.set(reason, (refused.get(reason) ?? 0) + 1)
    continue
  }
  if (ids === null) {
    lenient++
    if (only !== undefined || lenient <= 3) console.log(`${number} ${name}: Python refuses: ${cls}`)
    continue
  }
  const differ = differing(tokenizer, head.texts, ids)
  if (differ.length === 0) agreed++
  else {
    wrong++
    if (wrong > 8) continue
    const { vocab: _, merges: __, ...rest } = JSON.parse(made).model
    console.log(`\n${number} ${name} as ${cls}: ${differ.length} texts differ`, differ[0])
    const { 'tokenizer.json': ___, ...others } = files
    console.log('  beside', shown(others))
    if (only !== undefined) console.log('  file  ', shown({ ...whole, decoder: undefined }))
    const own = JSON.parse(made) as Record<string, unknown>
    const right = (steps ?? {}) as Record<string, unknown>
    for (const [key, value] of Object.entries(right)) {
      if (shown(own[key]) !== shown(value))
        console.log(`  ${key}`, shown(own[key]), '\n    right', shown(value))
    }
    console.log('  model', shown(rest))
  }
}
console.log(
  `\nagreed ${agreed}, wrong ${wrong}, refused ${[...refused.values()].reduce((a, b) => a + b, 0)}, refused by both ${both}, by Python alone ${lenient}; of another model in Python ${others}`,
)
for (const [reason, count] of [...refused].sort(([, a], [, b]) => b - a))
  console.log(`  ${count} × ${reason}`)
