/**
 * Claim 6: neural embeddings beat PCA, LDA and kernel PCA at the same number of dimensions.
 *
 *     npx tsx examples/claims/6-reducers.ts [--quick] [--seeds 3] [--json]
 *
 * MNIST's digits in 3 and in 9 numbers, all fitted to the same pictures: without labels PCA, kernel PCA and an autoencoder; with labels LDA and
 * LeNet-5 trained by triplets. Accuracy of the five nearest by cosine among the pictures that were fitted, and of a linear probe.
 */
import { readDataset } from '../../src/embed/index.ts'
import { classificationMeasures, linearProbe } from '../../src/evaluate/index.ts'
import { kernelPca, lda, pca } from '../../src/reduce/index.ts'
import type { Matrix } from '../../src/tensor/index.ts'
import { freshNetwork, MNIST, reconstruction, triplets } from '../../src/train/index.ts'
import { type ClaimRun, claim, type Figures } from './shared/claim.ts'
import { type Digits, digits, pixels } from './shared/digits.ts'
import { trainedBy } from './shared/training.ts'
import { neighbourAccuracy, vectorsOf } from './shared/vectors.ts'

const DIMENSIONS = [3, 9]
/** Rows that kernel PCA is fitted to: it decomposes a matrix of rows by rows. */
const KERNEL_ROWS = 2000

/** Vectors of the pictures that were fitted, and of those held out. */
type Reduction = Readonly<Record<'known' | 'held', readonly Float32Array[]>>

await claim({
  number: 6,
  statement: 'Neural embeddings beat PCA, LDA and kernel PCA at the same number of dimensions',
  async measure(run) {
    const { quick } = run
    const known = await digits('train', quick ? 1000 : 10_000)
    const held = await digits('test', quick ? 300 : 2000)
    const figures: Record<string, Record<string, number>> = {}
    for (const components of DIMENSIONS) {
      const reductions = {
        ...(await linear(known, held, components)),
        ...(await neural(run, known, held, components)),
      }
      for (const [name, vectors] of Object.entries(reductions)) {
        figures[name] = { ...figures[name], ...(await worth(vectors, known, held, components, run.seed)) }
      }
    }
    return figures
  },
  checks: Object.fromEntries(
    DIMENSIONS.flatMap((d) => [
      [
        `without labels, the autoencoder's ${d} numbers beat PCA's and kernel PCA's (five nearest)`,
        (figures: Figures) => beats(figures, 'autoencoder', ['PCA', 'kernel PCA'], d),
      ],
      [
        `with labels, LeNet-5's ${d} numbers beat LDA's and all others (five nearest)`,
        (figures: Figures) =>
          beats(figures, 'LeNet-5 by triplets (labels)', ['PCA', 'kernel PCA', 'LDA (labels)'], d),
      ],
    ]),
  ),
})

function beats(figures: Figures, one: string, others: readonly string[], d: number): boolean {
  const of = (name: string) => figures[name]![`${d} numbers, five nearest, %`]!
  return others.every((other) => of(one) > of(other))
}

async function linear(known: Digits, held: Digits, components: number): Promise<Record<string, Reduction>> {
  const [rows, others] = [known.images.map(pixels), held.images.map(pixels)]
  const reducers = {
    PCA: await pca.fit(rows, { components }),
    'kernel PCA': await kernelPca.fit(rows.slice(0, KERNEL_ROWS), { components, gamma: 0.02 }),
    'LDA (labels)': await lda.fit(rows, known.labels, { components }),
  }
  const entries = Object.entries(reducers).map(async ([name, reducer]) => {
    const [a, b] = [await reducer.transform(rows), await reducer.transform(others)]
    return [name, { known: rowsOf(a), held: rowsOf(b) }] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

function rowsOf({ rows, columns, data }: Matrix): Float32Array[] {
  return Array.from({ length: rows }, (_, row) => data.slice(row * columns, (row + 1) * columns))
}

async function neural(
  run: ClaimRun,
  known: Digits,
  held: Digits,
  components: number,
): Promise<Record<string, Reduction>> {
  const { seed, quick } = run
  const data = await readDataset(known.images.map((image, i) => ({ image, label: known.labels[i] })))
  const size = [28, 28] as const
  const autoencoder = freshNetwork('mlp_autoencoder', { config: { latent: components }, size, seed })
  const lenet = freshNetwork('lenet', {
    config: { num_classes: components, act: 'relu', pool: 'max' },
    size,
    ...MNIST,
    seed,
  })
  const models = {
    autoencoder: {
      tap: 'latent',
      path: await trainedBy('autoencoder', `autoencoder-${components}`, run, {
        data,
        epochs: quick ? 5 : 30,
        change: { network: autoencoder, objective: reconstruction() },
      }),
    },
    'LeNet-5 by triplets (labels)': {
      tap: 'logits',
      path: await trainedBy('lenet5', `triplets-${components}`, run, {
        data,
        epochs: quick ? 2 : 10,
        lr: 0.02,
        // All of its output is the embedding, and not the layer before it.
        change: {
          network: { ...lenet, representation: 'logits' },
          objective: triplets({ mining: 'all' }),
          optimizer: { kind: 'adam', lr: 2e-3 },
        },
      }),
    },
  }
  const entries = Object.entries(models).map(async ([name, { tap, path }]) => {
    const vectors = await vectorsOf(path, [...known.images, ...held.images], { tap })
    const { length } = known.images
    return [name, { known: vectors.slice(0, length), held: vectors.slice(length) }] as const
  })
  return Object.fromEntries(await Promise.all(entries))
}

async function worth(
  { known, held }: Reduction,
  { labels }: Digits,
  { labels: asked }: Digits,
  components: number,
  seed: number,
): Promise<Record<string, number>> {
  const among = { vectors: known, labels }
  const probe = await linearProbe(among, { seed, strengths: [0.1, 1, 10] })
  return {
    [`${components} numbers, five nearest, %`]: await neighbourAccuracy(among, {
      vectors: held,
      labels: asked,
    }),
    [`${components} numbers, linear probe, %`]:
      100 * classificationMeasures(probe.predict(held), asked).accuracy,
  }
}
