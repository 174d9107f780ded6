/**
 * A classifier on MobileNetV2's frozen layers over noto's emoji by group, from the command line, beside scikit-learn's LogisticRegression on
 * the same features and the same split.
 *
 *     PYTHON=venv/bin/python npx tsx train/emoji/classifier.ts [--pictures FOLDER] [--artist noto] [--seeds 3]     # in bench/
 */
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { drawPictures } from '../../../examples/claims/emoji/pictures.ts'
import { type AnyInput, type Embedder, embedder, readDataset } from '../../../src/embed/index.ts'
import { embedDataset, splitDataset, type VectorRow } from '../../../src/train/index.ts'
import { pipilo } from './commandLine.ts'

const SHARE = 0.2

const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: join(tmpdir(), 'pipilo-emoji') },
    artist: { type: 'string', default: 'noto' },
    seeds: { type: 'string', default: '3' },
  },
})
const folder = mkdtempSync(join(tmpdir(), 'pipilo-classifier-'))
await drawPictures(values.pictures, [values.artist])
const pictures = join(values.pictures, values.artist)

const e = (await embedder('mobilenet-v2')) as Embedder<Float32Array, AnyInput>
const data = await embedDataset(await readDataset(pictures), e)
await e.dispose()
const sides = async (seed: number) => {
  const { train, validation } = splitDataset(data, { validation: SHARE, seed })
  const rowsOf = async (part: typeof data) => {
    const rows = (await part.getMany(Array.from({ length: part.length }, (_, i) => i))) as VectorRow[]
    return { vectors: rows.map(({ vector }) => [...vector]), labels: [...part.labels!] }
  }
  return { train: await rowsOf(train), validation: await rowsOf(validation) }
}

const results: Record<string, Record<string, string>> = {}
for (let seed = 0; seed < Number(values.seeds); seed++) {
  const out = join(folder, `${seed}`)
  const { seconds } = pipilo(
    ...['train', 'classifier', '--data', pictures, '--validation', `${SHARE}`],
    ...['--seed', `${seed}`, '--out', out],
  )
  const last = JSON.parse(readFileSync(join(out, 'log.jsonl'), 'utf8').trim().split('\n').at(-1)!)
  const features = join(folder, 'features.json')
  writeFileSync(features, JSON.stringify(await sides(seed)))
  const script = fileURLToPath(new URL('classifier.py', import.meta.url))
  const python = JSON.parse(
    execFileSync(process.env.PYTHON ?? 'python3', [script, features], { encoding: 'utf8' }),
  )
  const percent = (share: number) => (100 * share).toFixed(1)
  results[`seed ${seed}`] = {
    'seconds in all': seconds.toFixed(1),
    'Pipilo, %': percent(last.validation_accuracy),
    'scikit-learn on standardised features, %': percent(python.standardised),
    'on features as they are, %': percent(python.plain),
  }
}
rmSync(folder, { recursive: true, force: true })
console.log(`${data.length} pictures of ${values.artist}; a fifth is held out`)
console.table(results)
