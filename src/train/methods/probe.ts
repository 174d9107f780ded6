/** A classifier on vectors that are ready: a linear probe. */
import { checkOptions, is, type OptionTable } from '../../base/index.ts'
import type { Objective } from '../objective.ts'
import { type CrossEntropyOptions, crossEntropy } from '../objectives/crossEntropy.ts'
import { accuracy, checkClasses } from './classification.ts'

const probeTypes: OptionTable<CrossEntropyOptions & { readonly dimensions: number }> = {
  labelSmoothing: is.numeric(0, 1),
  weight: is.instance('weights'),
  ignoreIndex: is.numeric(),
  dimensions: is.count(1),
}

/**
 * Cross-entropy of a head over the column `vector`; its metric is `accuracy`.
 *
 * @example
 * ```ts
 * const data = await embedDataset(await readDataset('photos/'), await embedder('mobilenet-v2'))
 * await train({ network: headNetwork({ dimensions: 96, classes: data.classes! }), objective: probe({ dimensions: 96 }), data })
 * ```
 */
export function probe(given: CrossEntropyOptions & { readonly dimensions: number }): Objective {
  checkOptions('probe', given, probeTypes)
  const { dimensions, ...options } = given
  return {
    name: 'probe',
    build(scope) {
      const [logits] = scope.network({ features: scope.numbers('vector', [dimensions]) }, ['logits'])
      const labels = scope.labels()
      checkClasses(scope, logits!, 'logits')
      return {
        loss: crossEntropy(logits!, labels, options),
        metrics: { accuracy: accuracy(logits!, labels) },
      }
    },
  }
}
