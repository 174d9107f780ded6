/**
 * Compares tokenizers that draw.py has drawn: those that agree on all texts, those refused by name, those that are wrong.
 *
 *     npx tsx bench/parity/tokenizers/compare.ts OUT.ndjson [ONLY]
 */
import { createReadStream } from 'node:fs'
import { createInterface } from 'node:readline'
import { TextTokenizer } from '../../../src/embed/text/tokenizer.ts'
import { PipiloError } from '../../../src/index.ts'
import { differing } from './differing.ts'

interface Drawn {
  readonly file: Record<string, unknown>
  readonly limit: number | null
  readonly ids: readonly (readonly number[] | null)[]
}

const [path, only] = process.argv.slice(2)
if (path === undefined) throw new Error('Give the file that draw.py has written.')
let texts: string[] | undefined
let [agreed, wrong, number] = [0, 0, -1]
const refused = new Map<string, number>()
const shown = (value: unknown) => JSON.stringify(value).slice(0, 700)

for await (const line of createInterface({
  input: createReadStream(path),
  crlfDelay: Number.POSITIVE_INFINITY,
})) {
  if (texts === undefined) {
    texts = JSON.parse(line) as string[]
    continue
  }
  number++
  if (only !== undefined && Number(only) !== number) continue
  const { file, limit, ids } = JSON.parse(line) as Drawn
  let tokenizer: TextTokenizer
  try {
    tokenizer = new TextTokenizer(file)
  } catch (error) {
    if (!(error instanceof PipiloError)) throw error
    const reason = error.message.replace(/'.*?'/g, "'…'").slice(0, 110)
    refused.set(reason, (refused.get(reason) ?? 0) + 1)
    continue
  }
  const differ = differing(tokenizer, texts, ids, limit ?? undefined)
  if (differ.length === 0) agreed++
  else {
    wrong++
    if (wrong > 20) continue
    const { model, added_tokens, ...steps } = file
    const first = differ.sort((a, b) => a.text.length - b.text.length)[0]!
    console.log(
      `\n${number}: ${differ.length} texts differ, model ${shown({ ...(model as object), vocab: 0, merges: 0 })}`,
    )
    console.log(shown(steps), '\n', shown(added_tokens))
    console.log(
      shown(first.text),
      'limit',
      limit,
      '\n own  ',
      shown(first.own),
      '\n right',
      shown(first.right),
    )
  }
}
const total = [...refused.values()].reduce((sum, count) => sum + count, 0)
for (const [reason, count] of [...refused].sort((a, b) => b[1] - a[1]))
  console.log(`${count} refused: ${reason}`)
console.log(
  `${number + 1} tokenizers, ${texts?.length} texts each: ${agreed} agreed, ${total} refused by name, ${wrong} wrong`,
)
if (wrong > 0) process.exitCode = 1
