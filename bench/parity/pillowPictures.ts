/**
 * Pictures of Pillow's and Go's own tests, opened here and by Pillow: how many, how far their vectors are apart, and what is said of the others.
 *
 *     python parity/pillowPictures.py /tmp/pictures …      # its head says which folders
 *     npx tsx parity/pillowPictures.ts /tmp/pictures       # in bench/, after npm run build; --list names those apart
 */
import { readFileSync } from 'node:fs'
import { extname, join } from 'node:path'
import { cosineSimilarity, embedder, PipiloError } from 'pipilo'

type Row = readonly [path: string, pillow: string, pixels: string | null]

const folder = process.argv[2] ?? '/tmp/pictures'
const isListing = process.argv.includes('--list')
const rows = JSON.parse(readFileSync(join(folder, 'pictures.json'), 'utf8')) as Row[]
await using e = await embedder('mobilenet-v2')

async function vectorOf(path: string): Promise<Float32Array | PipiloError> {
  try {
    return (await e.embed([path])).vectors[0]!
  } catch (error) {
    if (error instanceof PipiloError) return error
    throw new Error(`${path}: a raw error`, { cause: error })
  }
}

const counts = { files: rows.length, pillow: 0, both: 0, alike: 0, here: 0 }
const refused = new Map<string, string[]>()
const apart: string[] = []
for (const [path, pillow, pixels] of rows) {
  const found = await vectorOf(path)
  if (!(found instanceof PipiloError)) counts.here++
  if (pixels === null) continue
  counts.pillow++
  if (found instanceof PipiloError) {
    const said = `${extname(path)}: ${pillow}: ${found.code}: ${found.message.replaceAll(path, '…')}`
    refused.set(said, [...(refused.get(said) ?? []), path])
    continue
  }
  counts.both++
  const expected = await vectorOf(join(folder, pixels))
  if (expected instanceof PipiloError) throw expected
  const cosine = cosineSimilarity(found, expected)
  if (cosine >= 0.99) counts.alike++
  else apart.push(`${cosine.toFixed(3)} ${pillow} ${path}`)
}
console.log(JSON.stringify({ ...counts, alikeShare: Number((counts.alike / counts.both).toFixed(4)) }))
if (isListing) {
  console.log(apart.sort().join('\n'))
  for (const [said, paths] of [...refused].sort((a, b) => b[1].length - a[1].length))
    console.log(paths.length, said, paths[0]!.split('/').at(-1))
}
