/** The recipe for a classifier on a frozen network. */
import { join } from 'node:path'
import { PipiloError } from '../../base/index.ts'
import { type AnyInput, type Dataset, type Embedder, embedder } from '../../embed/index.ts'
import { headNetwork } from '../headNetwork.ts'
import { probe } from '../methods/probe.ts'
import { embedDataset, type VectorRow } from '../vectorData.ts'
import type { TrainingRecipe } from './recipe.ts'
import { warmedCosine } from './settings.ts'

export const classifier: TrainingRecipe = {
  name: 'classifier',
  summary:
    'A linear classifier on the embeddings of a model that stays as it is; each input is embedded once',
  needs:
    'pictures or texts with labels: a folder of images by class, or a file with image,label or text,label',
  columns: ['label'],
  defaults: { epochs: 100, batch: 128, lr: 0.1, model: 'mobilenet-v2' },
  prepare: async ({ data, lr, seed, signal, model = 'mobilenet-v2' }) => {
    const e = (await embedder(model)) as Embedder<Float32Array, AnyInput>
    const transformed = new Map<Dataset, Promise<Dataset>>()
    const transform = (given: Dataset): Promise<Dataset> => {
      const known = transformed.get(given) ?? embedDataset(given, e, signal ? { signal } : {})
      transformed.set(given, known)
      return known
    }
    const { classes, name } = data
    if (!classes) throw new PipiloError('INPUT_INVALID', `${name} has no labels.`, { input: name })
    const statistics = await statisticsOf(await transform(data), e.dimensions)
    return {
      network: headNetwork({
        dimensions: e.dimensions,
        classes,
        ...statistics,
        seed,
        writeBase: async (folder) => (await e.model()).export(join(folder, 'model.onnx')),
      }),
      objective: probe({ dimensions: e.dimensions }),
      // Half the squared weights over the rows: logistic regression with scikit-learn's C of 1.
      optimizer: { kind: 'adam', lr, weightDecay: 1 / data.length },
      schedule: warmedCosine,
      groups: [{ names: /\.bias$/, weightDecay: 0 }],
      transform,
    }
  },
}

/** Mean and deviation of each number over the data. */
async function statisticsOf(data: Dataset, dimensions: number): Promise<{ mean: number[]; std: number[] }> {
  const [sum, squares] = [new Float64Array(dimensions), new Float64Array(dimensions)]
  for await (const row of data) {
    for (const [i, value] of (row as VectorRow).vector.entries()) {
      sum[i]! += value
      squares[i]! += value * value
    }
  }
  const mean = Array.from(sum, (value) => value / data.length)
  const std = mean.map((value, i) => Math.sqrt(Math.max(squares[i]! / data.length - value * value, 1e-12)))
  return { mean, std }
}
