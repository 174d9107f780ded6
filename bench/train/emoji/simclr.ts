/**
 * SimCLR on four artists' emoji from the command line, measured on the fifth's: how often the five nearest among the four tell the group, by
 * the trained network, by the same untrained, by raw pixels, and by lightly's loss in PyTorch in as many steps.
 *
 *     npx tsx train/emoji/simclr.ts [--seed 0] [--epochs N] [--quick] [--held openmoji]     # in bench/
 *     PYTHON=venv/bin/python npx tsx train/emoji/simclr.ts --lightly                        # with lightly beside it
 *     npx tsx train/emoji/simclr.ts --run FOLDER --vectors vectors.json     # what was trained before, by Pipilo and by simclr_lightly.py
 *
 * `--recipe byol` measures BYOL in the same way. `--quick` trains for two epochs, to see that all parts work. `--model`, `--size`, `--batch` and `--lr` are the command's.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { ARTISTS, drawPictures } from '../../../examples/claims/emoji/pictures.ts'
import { embedder, readDataset } from '../../../src/embed/index.ts'
import { loadTensor, parametersOf } from '../../../src/graph/index.ts'
import { trainingRecipe } from '../../../src/train/recipes/index.ts'
import { pipilo } from './commandLine.ts'
import { centred, neighbourAccuracy, type Pictures, picturesOf, rawPixels } from './neighbours.ts'

const { values } = parseArgs({
  options: {
    pictures: { type: 'string', default: join(tmpdir(), 'pipilo-emoji') },
    held: { type: 'string', default: 'openmoji' },
    recipe: { type: 'string', default: 'simclr' },
    seed: { type: 'string', default: '0' },
    epochs: { type: 'string' },
    model: { type: 'string' },
    size: { type: 'string' },
    batch: { type: 'string' },
    lr: { type: 'string' },
    quick: { type: 'boolean', default: false },
    lightly: { type: 'boolean', default: false },
    vectors: { type: 'string' },
    run: { type: 'string' },
  },
})
const { defaults } = trainingRecipe(values.recipe)
const chosen = {
  epochs: Number(values.epochs ?? (values.quick ? 2 : defaults.epochs)),
  model: values.model ?? defaults.model,
  size: Number(values.size ?? defaults.size),
  batch: Number(values.batch ?? defaults.batch),
  lr: Number(values.lr ?? defaults.lr),
  seed: Number(values.seed),
}
const given = Object.entries(chosen).flatMap(([name, value]) => [`--${name}`, `${value}`])

const root = resolve(values.pictures)
await drawPictures(root)
const artists = ARTISTS.filter((artist) => artist !== values.held)
const [queries, known] = [picturesOf(root, [values.held]), picturesOf(root, artists)]
const folder = mkdtempSync(join(tmpdir(), 'pipilo-simclr-'))
const others = join(folder, 'others')
mkdirSync(others)
for (const artist of artists) symlinkSync(join(root, artist), join(others, artist))

const rows: Record<string, { 'accuracy, %': string; steps?: number; seconds?: string }> = {}
const add = (name: string, accuracy: number, more: { steps?: number; seconds?: string } = {}) => {
  rows[name] = { 'accuracy, %': accuracy.toFixed(1), ...more }
  console.log(`${name}: ${accuracy.toFixed(1)} %`)
}
const measured = (query: readonly Float32Array[], near: readonly Float32Array[]) =>
  neighbourAccuracy({ vectors: query, groups: queries.groups }, { vectors: near, groups: known.groups })

console.log(
  `${queries.paths.length} pictures of ${values.held}, ${known.paths.length} of ${artists.join(', ')}`,
)
const [rawQueries, rawKnown] = await Promise.all([queries, known].map(({ paths }) => rawPixels(paths, 16)))
add('raw 16 × 16 pixels', measured(rawQueries!, rawKnown!))
add('raw pixels less their mean', measured(centred(rawQueries!, rawKnown!), centred(rawKnown!, rawKnown!)))
add('untrained', await byModel(await untrained()))
const out = values.run ?? join(folder, 'run')
const seconds = values.run
  ? undefined
  : pipilo('train', values.recipe, '--data', others, '--out', out, ...given).seconds
const log = readFileSync(join(out, 'log.jsonl'), 'utf8').trim().split('\n')
const { step, loss } = JSON.parse(log.at(-1)!) as { step: number; loss: number }
console.log(`loss of the last epoch: ${loss.toFixed(3)}`)
add(`${values.recipe} by Pipilo`, await byModel(out), {
  steps: step,
  ...(seconds !== undefined && { seconds: seconds.toFixed(0) }),
})
if (values.lightly) {
  const file = join(folder, 'vectors.json')
  const script = fileURLToPath(new URL('simclr_lightly.py', import.meta.url))
  const start = performance.now()
  const words = [script, root, '--held', values.held, '--write', file, ...given]
  execFileSync(process.env.PYTHON ?? 'python3', words, { stdio: 'inherit' })
  const taken = (performance.now() - start) / 1000
  add('SimCLR by lightly', byFile(file), { steps: step, seconds: taken.toFixed(0) })
}
if (values.vectors && existsSync(values.vectors)) add(values.vectors, byFile(values.vectors))
rmSync(folder, { recursive: true, force: true })
console.log(JSON.stringify(chosen))
console.table(rows)

/** The folder of a model as the recipe begins with it. */
async function untrained(): Promise<string> {
  const path = join(folder, 'untrained')
  mkdirSync(path)
  const { network } = await trainingRecipe(values.recipe).prepare({
    data: await readDataset(others),
    ...chosen,
  })
  const { inference } = network
  const weights = parametersOf(inference).map(
    async ({ name }) => [name, await loadTensor(inference.initializers.get(name)!)] as const,
  )
  await network.write!(path, new Map(await Promise.all(weights)))
  return path
}

async function byModel(path: string): Promise<number> {
  const e = await embedder(path)
  const vectorsOf = async ({ paths }: Pictures) => (await e.embed([...paths])).vectors as Float32Array[]
  const [query, near] = [await vectorsOf(queries), await vectorsOf(known)]
  await e.dispose()
  return measured(query, near)
}

/** By a JSON file with a vector for each `<artist>/<group>/<picture>`. */
function byFile(path: string): number {
  const vectors = JSON.parse(readFileSync(path, 'utf8')) as Record<string, number[]>
  const vectorsOf = ({ paths }: Pictures) =>
    paths.map((each) => Float32Array.from(vectors[relative(root, each)]!))
  return measured(vectorsOf(queries), vectorsOf(known))
}
