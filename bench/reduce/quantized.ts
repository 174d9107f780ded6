/**
 * Size and recall of MiniLM's vectors of sentences in fewer numbers and in fewer bits, side by side; the time of a search, and what PCA keeps.
 *
 *     npx tsx bench/reduce/quantized.ts
 */
import { semanticSearch } from '../../src/embed/index.ts'
import { compareQuantized, pca, quantize } from '../../src/reduce/index.ts'
import { l2Normalize, type Matrix, row } from '../../src/tensor/index.ts'
import { sentenceVectors } from './vectors.ts'

const K = 10
const all = await sentenceVectors()
const queries = part(all, 0, 500)
const vectors = part(all, 500, all.rows)
console.log(`${vectors.rows} vectors, ${queries.rows} queries, recall@${K}`)
console.table(
  (await compareQuantized(vectors, queries, { k: K })).map(({ recall, ...rest }) => ({
    ...rest,
    recall: recall.toFixed(4),
  })),
)

const exact = (await semanticSearch(queries, vectors, { k: K })).map(
  (hits) => new Set(hits.map(({ index }) => index)),
)
const shorter: object[] = []
for (const components of [192, 128, 64, 32]) {
  const reducer = await pca.fit(vectors, { components })
  const [small, asked] = [await reducer.transform(vectors), await reducer.transform(queries)]
  for (const matrix of [small, asked])
    for (let i = 0; i < matrix.rows; i++) l2Normalize(row(matrix, i), row(matrix, i))
  const found = await semanticSearch(asked, small, { k: K })
  const hits = found.flatMap((own, i) => own.filter(({ index }) => exact[i]!.has(index))).length
  const variance = reducer.explainedVarianceRatio.reduce((sum, ratio) => sum + ratio, 0)
  shorter.push({
    components,
    bytesPerVector: 4 * components,
    variance: variance.toFixed(3),
    recall: (hits / queries.rows / K).toFixed(4),
  })
}
console.table(shorter)

for (const precision of ['int8', 'binary'] as const) {
  const small = await quantize(vectors, precision)
  const start = performance.now()
  await small.search(queries, { k: K, rescore: vectors })
  console.log(
    `${precision} with rescoring: ${((performance.now() - start) / queries.rows).toFixed(2)} ms a query`,
  )
}

function part({ columns, data }: Matrix, from: number, to: number): Matrix {
  return { rows: to - from, columns, data: data.subarray(from * columns, to * columns) }
}
