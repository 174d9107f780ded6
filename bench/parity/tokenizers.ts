// Compares the ids of tokenizers made from old-style vocabularies with Python's. Run tokenizer_files.py first.
//   npm run parity:tokenizers -- folder
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { loadTokenizer } from '../../src/embed/index.ts'
import { resolveSource, tokenizerPath } from '../../src/models/index.ts'

const folder = process.argv[2] ?? '.'
const { lines, ids } = JSON.parse(await readFile(join(folder, 'lines.json'), 'utf8')) as {
  lines: string[]
  ids: Record<string, number[][]>
}
for (const [name, expected] of Object.entries(ids)) {
  const path = await tokenizerPath(await resolveSource({ kind: 'file', path: join(folder, name) }))
  const tokenizer = await loadTokenizer(path!)
  const differ = lines.filter((line, i) => tokenizer.encode(line).ids.join() !== expected[i]!.join())
  console.log(`${name}: ${lines.length - differ.length} of ${lines.length} lines agree`)
  for (const line of differ.slice(0, Number(process.env['SHOW'] ?? 3))) {
    console.log(JSON.stringify(line), tokenizer.encode(line).ids.join(' '))
    console.log('   Python:', expected[lines.indexOf(line)]!.join(' '))
  }
}
